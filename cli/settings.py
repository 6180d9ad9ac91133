"""What our processes are told by their environment, or by the `weir dev` that runs in this directory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.envconfig import ClientConfig

from domain.errors import Unavailable
from domain.webhooks.addresses import PRIVATE_ADDRESSES, PrivateAddresses

DIRECTORY = Path(".weir")
RUNNING = "running.json"
TEMPORAL_DEFAULT = "localhost:7233"
USAGE_SIGNAL_WINDOW = timedelta(days=31)  # each is an action of Temporal's: one a month

VARIABLES = (
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "TEMPORAL_ADDRESS",
    "STRIPE_API_KEY",
    "STRIPE_API_BASE",
    "STRIPE_WEBHOOK_SECRET",
    "WEBHOOK_PRIVATE_ADDRESSES",
)
_TEMPORAL_IS_CHOSEN = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")


@dataclass(frozen=True, slots=True)
class Settings:
    """`database_url` is the application's role, `migration_database_url` the schema's owner; `temporal` are arguments of
    `Client.connect`; `stripe_api_base` is None for Stripe itself. A subscription's workflow is told of its usage at most
    once in a `usage_signal_window`. `webhook_private_addresses` says which environments may send webhooks to this machine
    and its network. A worker with a `build_id` is a version of the deployment `weir`.
    """

    database_url: str = field(repr=False)
    migration_database_url: str = field(repr=False)
    temporal: Mapping[str, Any] = field(repr=False)
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_api_base: str | None = None
    stripe_webhook_secret: str | None = field(default=None, repr=False)
    usage_signal_window: timedelta = USAGE_SIGNAL_WINDOW
    webhook_private_addresses: PrivateAddresses = "refused"
    build_id: str | None = None


def read_settings(environ: Mapping[str, str], directory: Path = DIRECTORY) -> Settings:
    """From variables, and where they are silent from a running `weir dev`. Raises `Unavailable` without a database."""
    told = {
        **_running(directory, environ),
        **{name: value for name, value in environ.items() if value},
    }
    database_url = told.get("DATABASE_URL")
    if database_url is None:
        raise Unavailable("no database: set DATABASE_URL, or start `weir dev` in this directory")
    return Settings(
        database_url=database_url,
        migration_database_url=told.get("MIGRATION_DATABASE_URL", database_url),
        temporal=_temporal(told),
        stripe_api_key=told.get("STRIPE_API_KEY"),
        stripe_api_base=told.get("STRIPE_API_BASE"),
        stripe_webhook_secret=told.get("STRIPE_WEBHOOK_SECRET"),
        usage_signal_window=_seconds(told.get("USAGE_SIGNAL_WINDOW"), USAGE_SIGNAL_WINDOW),
        webhook_private_addresses=_private_addresses(told.get("WEBHOOK_PRIVATE_ADDRESSES")),
        build_id=told.get("WORKER_BUILD_ID"),
    )


def _seconds(text: str | None, default: timedelta) -> timedelta:
    """A whole number of seconds. Raises `Unavailable`."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise Unavailable(f"USAGE_SIGNAL_WINDOW is a number of seconds, not {text}")
    return timedelta(seconds=int(text))


def _private_addresses(text: str | None) -> PrivateAddresses:
    """Raises `Unavailable`."""
    for choice in PRIVATE_ADDRESSES:
        if text == choice:
            return choice
    if text is None:
        return "refused"
    raise Unavailable(
        f"WEBHOOK_PRIVATE_ADDRESSES is one of {', '.join(PRIVATE_ADDRESSES)}, not {text}"
    )


def _running(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What `weir dev` says of its servers, but for those that the variables name themselves."""
    path = directory / RUNNING
    if not path.exists():
        return {}
    told: dict[str, str] = json.loads(path.read_text())
    if environ.get("DATABASE_URL"):
        told.pop("MIGRATION_DATABASE_URL", None)
        told.pop("WEBHOOK_PRIVATE_ADDRESSES", None)
    if environ.get("STRIPE_API_KEY"):
        told.pop("STRIPE_API_BASE", None)
        told.pop("STRIPE_WEBHOOK_SECRET", None)
    if any(environ.get(name) for name in _TEMPORAL_IS_CHOSEN):
        told.pop("TEMPORAL_ADDRESS", None)
    return told


def _temporal(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """By Temporal's own environment configuration: `TEMPORAL_*` variables and profiles."""
    try:
        arguments = ClientConfig.load_client_connect_config(override_env_vars=environ)
    except (RuntimeError, ValueError) as error:
        raise Unavailable(f"Temporal's configuration cannot be read: {error}") from error
    return {"target_host": TEMPORAL_DEFAULT, **arguments}
