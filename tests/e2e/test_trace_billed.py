"""An hour of real requests to a language model, imported from its file, becomes an invoice that is right to the cent."""

import csv
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.client import WeirClient
from cli.event_files import Mapped, read_lines
from cli.event_import import OverHttp, import_lines
from cli.live.clocks import lead
from db.tenants import Environment
from domain.reading import instant
from tests.api.conftest import Desk

TRACE = Path(__file__).parents[2] / "../shared/data/llm_trace_conv.csv"
CENT = Decimal("0.01")
METERS = [
    {"key": "input", "event_name": "llm", "aggregation": "sum", "value": "ContextTokens"},
    {"key": "output", "event_name": "llm", "aggregation": "sum", "value": "GeneratedTokens"},
    {"key": "requests", "event_name": "llm", "aggregation": "count"},
    {"key": "longest", "event_name": "llm", "aggregation": "max", "value": "ContextTokens"},
]
TIERS = [
    {"up_to": "10000000", "unit_amount": "0.0000031"},
    {"up_to": None, "unit_amount": "0.0000023"},
]
PRICES = {
    "input": {"model": "graduated", "tiers": TIERS},
    "output": {"model": "per_unit", "unit_amount": "0.00001501"},
    "requests": {"model": "package", "package_size": "1000", "package_amount": "0.07"},
    "longest": {"model": "per_unit", "unit_amount": "0.0001"},
}
PLAN = {
    "key": "metered",
    "name": "Metered",
    "currency": "USD",
    "interval": {"unit": "month", "count": 1},
    "items": [
        {"key": key, "kind": "usage", "meter": key, "charged": "in_arrears", "price": price}
        for key, price in PRICES.items()
    ],
}


def computed_plainly() -> tuple[int, dict[str, Decimal]]:
    """How many requests there are, and what each line must cost, added up from the file."""
    with TRACE.open(newline="") as file:
        rows = [(int(r["ContextTokens"]), int(r["GeneratedTokens"])) for r in csv.DictReader(file)]
    read, written = sum(r[0] for r in rows), sum(r[1] for r in rows)
    return len(rows), {
        "input": 10_000_000 * Decimal("0.0000031") + (read - 10_000_000) * Decimal("0.0000023"),
        "output": written * Decimal("0.00001501"),
        "requests": -(-len(rows) // 1000) * Decimal("0.07"),
        "longest": max(r[0] for r in rows) * Decimal("0.0001"),
    }


@pytest.mark.skipif(not TRACE.exists(), reason="the trace is not beside the project")
async def test_a_real_trace_is_billed_to_the_cent(
    desk: Desk, environment: Environment, worker: None
) -> None:
    key = await desk.key(environment, "admin")
    transport = httpx.ASGITransport(desk.app, raise_app_exceptions=False)
    async with WeirClient("http://weir.test", key, transport) as weir:
        invoice = await _bill_the_trace(weir)
    requests, lines = computed_plainly()
    assert requests == 19_366
    total = sum(lines.values(), Decimal(0)).quantize(CENT, ROUND_HALF_UP)
    assert {line["item"]: Decimal(line["exact_amount"]) for line in invoice["lines"]} == lines
    assert Decimal(invoice["total"]) == total
    assert sum(Decimal(line["amount"]) for line in invoice["lines"]) == total
    assert invoice["status"] == "paid"


async def _bill_the_trace(weir: WeirClient) -> dict[str, Any]:
    """Subscribe in November 2023, import the file, end the month; the invoice."""
    clock = await weir.post("test-clocks", {"name": "trace", "now": "2023-11-01T00:00:00Z"})
    for meter in METERS:
        await weir.post("meters", meter)
    await weir.post("plans", PLAN)
    await weir.post("customers", {"key": "acme", "test_clock": clock["id"]})
    await weir.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
    await weir.post("subscriptions", {"key": "metered", "customer": "acme", "plan": "metered"})
    with TRACE.open("rb") as file:
        lines = read_lines(file, "csv", Mapped({"time": "TIMESTAMP"}, "llm", "acme", "trace:"))
        imported = await import_lines(lines, OverHttp(weir), lambda *_: None)
    assert (imported.accepted, imported.faults) == (19_366, [])
    await lead(weir, clock["id"], instant("2023-12-01T00:00:00Z"))
    invoices = await weir.every("invoices")
    assert len(invoices) == 1
    return dict(invoices[0])
