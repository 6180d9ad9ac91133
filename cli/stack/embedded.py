"""The servers that Weir needs, brought along: those that the environment does not name itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.stack.child import free_port
from cli.stack.postgres import Postgres
from cli.stack.temporal import Temporal
from db import migrate
from providers.payments.sandbox.app import create_sandbox
from providers.payments.sandbox.hooks import HookSettings
from providers.payments.sandbox.serve import serving

SANDBOX_KEY = "sk_test_sandbox"
WEBHOOKS = "/v1/webhooks/stripe"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen on 127.0.0.1; 0 takes a free port. `temporal_ui=None` leaves Temporal's Web UI out."""

    api: int = 0
    postgres: int = 0
    temporal: int = 0
    temporal_ui: int | None = None
    sandbox: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """`variables` name every server, as `cli.settings` reads them and `weir api` and `weir worker` inherit them.
    `api_port` is kept for the API: the sandbox sends its webhooks there. `temporal_ui` is None without one of ours.
    """

    variables: Mapping[str, str] = field(repr=False)
    api_port: int
    temporal_ui: str | None


@asynccontextmanager
async def servers(
    directory: Path, environ: Mapping[str, str], ports: Ports | None = None, *, keep: bool = True
) -> AsyncIterator[Running]:
    """Run PostgreSQL (migrated), Temporal and the payment sandbox, but for what DATABASE_URL, TEMPORAL_ADDRESS and
    STRIPE_API_KEY name. `directory` keeps their data; with `keep=False` they are quicker and forget. Raises `Unavailable`.
    """
    ports = ports or Ports()
    api_port = ports.api or free_port()
    named = {name: value for name, value in environ.items() if value}
    async with AsyncExitStack() as stack:
        if "DATABASE_URL" not in named:
            postgres = Postgres(directory / "postgres", ports.postgres, durable=keep)
            named |= _database(await stack.enter_async_context(postgres))
        owner = named.get("MIGRATION_DATABASE_URL", named["DATABASE_URL"])
        await asyncio.to_thread(migrate.upgrade, owner, named["DATABASE_URL"])
        temporal_ui = None
        if "TEMPORAL_ADDRESS" not in named:
            temporal = Temporal(
                directory / "temporal", ports.temporal, ports.temporal_ui, keep=keep
            )
            await stack.enter_async_context(temporal)
            named["TEMPORAL_ADDRESS"], temporal_ui = temporal.address, temporal.ui_url
        if "STRIPE_API_KEY" not in named:
            journal = directory / "sandbox.journal" if keep else None
            named |= await _start_sandbox(stack, ports.sandbox, journal, api_port)
        named.setdefault("WEBHOOK_PRIVATE_ADDRESSES", "test")  # a receiver under work is here
        yield Running(named, api_port, temporal_ui)


def _database(postgres: Postgres) -> dict[str, str]:
    return {"DATABASE_URL": postgres.app_url, "MIGRATION_DATABASE_URL": postgres.owner_url}


async def _start_sandbox(
    stack: AsyncExitStack, port: int, journal: Path | None, api_port: int
) -> dict[str, str]:
    secret = f"whsec_{secrets.token_hex(16)}"
    hooks = HookSettings(url=f"http://127.0.0.1:{api_port}{WEBHOOKS}", secret=secret)
    sandbox = create_sandbox(journal=journal, hooks=hooks)
    return {
        "STRIPE_API_KEY": SANDBOX_KEY,
        "STRIPE_API_BASE": await stack.enter_async_context(serving(sandbox, port)),
        "STRIPE_WEBHOOK_SECRET": secret,
    }
