"""A published price list becomes a plan over HTTP, and an hour of real requests is billed with it to the last decimal."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from api.app import app_with
from api.connections import Connections
from cli.client import WeirClient
from cli.event_files import Mapped, read_lines
from cli.event_import import OverHttp, import_lines
from cli.exact_yaml import read_json
from cli.live.clocks import lead
from cli.main import app
from cli.plan_import import Sent, send
from db.keys import create_key
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from domain.errors import Conflict
from domain.price_lists import Imported, Terms, import_list
from domain.reading import instant
from providers.payments.sandbox.serve import serving_in_thread
from tests.api.conftest import Desk
from tests.conftest import fresh_environment
from tests.servers import Addresses

DATA = Path(__file__).parents[2] / "../shared/data"
TRACE, PRICES = DATA / "llm_trace_conv.csv", DATA / "model_prices.json"
CENT = Decimal("0.01")
MARKUP = Decimal("7.5")
COLUMNS = {
    "time": "TIMESTAMP",
    "input_tokens": "ContextTokens",
    "output_tokens": "GeneratedTokens",
}
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
LISTED = """{
    "large": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07},
    "small": {"input_cost_per_token": 1e-08, "output_cost_per_token": 2e-08}
}"""


def imported(listed: str, event_name: str = "llm.completion", markup: str = "0") -> Imported:
    terms = Terms("ai", "AI", "USD", event_name, Fraction(markup) / 100)
    return import_list(read_json(listed), terms)


@pytest.fixture
async def key(desk: Desk, environment: Environment) -> str:
    return await desk.key(environment, "admin")


def opened(desk: Desk, key: str) -> WeirClient:
    transport = httpx.ASGITransport(desk.app, raise_app_exceptions=False)
    return WeirClient("http://weir.test", key, transport)


async def test_again_is_the_same_version_and_another_list_the_next(desk: Desk, key: str) -> None:
    meters = tuple(f"llm.completion.{name}" for name in TOKENS)
    async with opened(desk, key) as weir:
        assert await send(imported(LISTED), weir) == Sent(meters, "ai", 1, made=True)
        assert await send(imported(LISTED), weir) == Sent((), "ai", 1, made=False)
        dearer = imported(LISTED, markup="10")
        assert await send(dearer, weir) == Sent((), "ai", 2, made=True)
        plan = await weir.get("plans/ai")
    items = {item["key"]: item["price"]["cells"] for item in plan["items"]}
    assert [cell["unit_amount"] for cell in items["cache-read"]] == ["0.00000033", "0.000000011"]


async def test_a_meter_of_the_same_key_that_is_another_is_told(desk: Desk, key: str) -> None:
    other = {"event_name": "llm.completion", "aggregation": "max", "value": "output_tokens"}
    async with opened(desk, key) as weir:
        await weir.post("meters", {"key": "llm.completion.output_tokens", **other})
        with pytest.raises(Conflict, match=r"llm\.completion\.output_tokens already"):
            await send(imported(LISTED), weir)
        assert await weir.every("plans") == []
        assert len(await weir.every("meters")) == 1
        assert (await send(imported(LISTED, "other"), weir)).made


@pytest.fixture
def served(database_urls: Addresses) -> Iterator[tuple[str, str]]:
    """The API in a thread of its own, which asks no workflow: its address, and a key."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connections]:
        database = Database(database_urls["app"])
        yield Connections(database, cast(Client, None))
        await database.close()

    async def make_key() -> str:
        async with connect() as opened:
            place = await fresh_environment(opened.database)
            async with opened.database.transaction(place.id) as connection:
                return (await create_key(connection, place, "import", ["read", "write"]))[1]

    with serving_in_thread(app_with(connect)) as address:
        yield address, asyncio.run(make_key())


def test_the_command_tells_what_it_made(served: tuple[str, str], tmp_path: Path) -> None:
    address, key = served
    path = tmp_path / "prices.json"
    path.write_text(LISTED)

    def run(*options: str) -> tuple[int, list[str]]:
        command = ["plans", "import", str(path), "--plan", "ai", "--url", address, *options]
        told = CliRunner().invoke(app, command, env={"WEIR_API_KEY": key})
        return told.exit_code, (told.stderr if told.exit_code else told.stdout).splitlines()

    keys = [f"llm.completion.{k}" for k in TOKENS]
    made = [f"meters: made {', '.join(keys)}", "plan ai: version 1, made"]
    assert run() == (0, made)
    assert run() == (0, ["meters: all were there", "plan ai: version 1, as it was"])
    newer = ["meters: all were there", "plan ai: version 2, made"]
    assert run("--markup", "5", "--fills-gaps") == (0, newer)
    assert run("--name", "AI", "--fills-gaps")[1][1] == "plan ai: version 3, made"
    assert run("--fills-gaps")[1][1] == "plan ai: version 3, as it was"  # and called as it was
    status, told = run("--key", "weir_test_nobody")
    assert (status, len(told)) == (1, 1)
    other = {"key": "calls", "event_name": "chat", "aggregation": "count"}
    made_before = httpx.post(
        f"{address}/v1/meters", json=other, headers={"Authorization": f"Bearer {key}"}
    )
    assert made_before.status_code == 201
    status, told = run("--event-name", "chat")
    assert (status, "calls count chat already" in " ".join(told)) == (1, True)
    assert run("--event-name", "chat", "--share-events")[0] == 0


@pytest.mark.skipif(not TRACE.exists(), reason="the trace is not beside the project")
async def test_a_real_trace_is_billed_by_the_published_prices_to_the_cent(
    desk: Desk, environment: Environment, key: str, worker: None, tmp_path: Path
) -> None:
    async def pump() -> None:
        await wait_for_horizon(desk.database)
        await pump_once(desk.database, environment.id)

    result = imported(PRICES.read_text(), markup=str(MARKUP))
    requests = with_models(plainly_read(PRICES))
    assert (result.models, len(requests)) == (215, 19_366)
    async with opened(desk, key) as weir:
        await _subscribe(weir, result)
        await _use(weir, written(requests, tmp_path / "trace.csv"))
        await pump()
        invoice = await _bill(weir)
    lines = computed_plainly(requests, plainly_read(PRICES))
    total = sum(lines.values(), Decimal(0)).quantize(CENT, ROUND_HALF_UP)
    assert {line["item"]: Decimal(line["exact_amount"]) for line in invoice["lines"]} == lines
    assert Decimal(invoice["total"]) == total
    assert sum(Decimal(line["amount"]) for line in invoice["lines"]) == total
    assert invoice["status"] == "paid"


def plainly_read(path: Path) -> Mapping[str, tuple[Decimal, Decimal]]:
    """What a token costs that goes into each model, and one that comes out; those that are free of charge included."""
    listed = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
    both = ((m, p.get("input_cost_per_token"), p.get("output_cost_per_token")) for m, p in listed.items())  # fmt: skip
    return {model: (i, o) for model, i, o in both if i is not None and o is not None}


def with_models(prices: Mapping[str, object]) -> Sequence[Mapping[str, str]]:
    """The requests of the trace; the one at place n went to the model at place 7 n, round and round."""
    models = sorted(prices)
    with TRACE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{**row, "model": models[7 * n % len(models)]} for n, row in enumerate(rows)]


def computed_plainly(
    requests: Sequence[Mapping[str, str]], prices: Mapping[str, tuple[Decimal, Decimal]]
) -> dict[str, Decimal]:
    """What each line must cost, request by request."""
    factor = 1 + MARKUP / 100
    read = sum(int(r["ContextTokens"]) * prices[r["model"]][0] for r in requests)
    said = sum(int(r["GeneratedTokens"]) * prices[r["model"]][1] for r in requests)
    return {"input": read * factor, "output": said * factor}


def written(requests: Sequence[Mapping[str, str]], path: Path) -> Path:
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(requests[0]))
        out.writeheader()
        out.writerows(requests)
    return path


async def _subscribe(weir: WeirClient, result: Imported) -> None:
    """In November 2023."""
    clock = await weir.post("test-clocks", {"name": "trace", "now": "2023-11-01T00:00:00Z"})
    await send(result, weir)
    await weir.post("customers", {"key": "acme", "test_clock": clock["id"]})
    await weir.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
    await weir.post("subscriptions", {"key": "s", "customer": "acme", "plan": "ai"})


async def _use(weir: WeirClient, trace: Path) -> None:
    with trace.open("rb") as file:
        lines = read_lines(file, "csv", Mapped(COLUMNS, "llm.completion", "acme", "trace:"))
        done = await import_lines(lines, OverHttp(weir), lambda *_: None)
    assert (done.accepted, done.faults) == (19_366, [])


async def _bill(weir: WeirClient) -> dict[str, Any]:
    """End the month; the invoice, which is as it was announced."""
    upcoming = await weir.get("subscriptions/s/upcoming-invoice")
    customer = await weir.get("customers/acme")
    await lead(weir, customer["test_clock"], instant("2023-12-01T00:00:00Z"))
    invoices = await weir.every("invoices")
    assert [invoice["total"] for invoice in invoices] == [upcoming["total"]]
    return dict(invoices[0])
