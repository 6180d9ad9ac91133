"""A whole Weir on servers of its own, gone with all its data when it is done: for demos and live scenarios."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.client import WeirClient
from cli.keys import Mode, create_key
from cli.stack.embedded import Ports, servers
from cli.stack.weir import Weir, running_weir
from db.session import Database
from providers.payments.sandbox.remote import SandboxRemote

# What it brings along itself, whatever the environment names.
_BROUGHT = frozenset(
    {
        "DATABASE_URL",
        "MIGRATION_DATABASE_URL",
        "TEMPORAL_ADDRESS",
        "TEMPORAL_PROFILE",
        "TEMPORAL_CONFIG_FILE",
        "STRIPE_API_KEY",
    }
)


@dataclass(frozen=True, slots=True)
class Throwaway:
    """`client` holds `key`, of an empty test environment."""

    weir: Weir
    client: WeirClient
    key: str
    sandbox: SandboxRemote
    temporal_ui: str | None


@asynccontextmanager
async def throwaway(tenant: str, ports: Ports | None = None) -> AsyncIterator[Throwaway]:
    """Run everything while the block runs. Raises `Unavailable` where a part does not start."""
    ours = {name: value for name, value in os.environ.items() if name not in _BROUGHT}
    with tempfile.TemporaryDirectory(prefix="weir-") as temporary:
        directory = Path(temporary)
        async with (
            servers(directory, ours, ports, keep=False) as running,
            running_weir(running, directory) as weir,
            SandboxRemote(running.variables["STRIPE_API_BASE"]) as sandbox,
        ):
            key = await _key(running.variables["DATABASE_URL"], tenant)
            async with WeirClient(weir.url, key) as client:
                yield Throwaway(weir, client, key, sandbox, running.temporal_ui)


async def _key(database_url: str, tenant: str) -> str:
    database = Database(database_url)
    try:
        return await create_key(database, tenant, Mode.test, tenant, ["admin"])
    finally:
        await database.close()
