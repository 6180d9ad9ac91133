"""The acceptance cases of `rate`: each price in a real plan, its usage sent as events, and charged by the upcoming invoice.

Left out are a negative quantity (`weir-r054`), since a period's is never below 0, an amount that no invoice can hold
(`weir-x-digits-4`), and a line that is no JSON (`weir-raw1`), which no plan can be made of. Prices of which two cells could
match one key without either being the more specific are rated where no such key comes, and refused in a plan, where one
can come any day. An invoice leaves a line out that has no quantity and no amount.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.api.asking import Asking, paths_differ
from tests.public_cases import Case, is_refused, read_cases

LEFT_OUT = {"weir-r054", "weir-raw1", "weir-x-digits-4"}
AMBIGUOUS = {"weir-r165", "weir-r169", "weir-x-cells-1", "weir-x-cells-3"}
JANUARY = "2026-01-01T00:00:00Z"


@pytest.fixture
def asking(client: httpx.AsyncClient) -> Asking:
    return Asking(client)


def told_cases(refused: bool) -> Sequence[Case]:
    cases = [case for case in read_cases("rate") if case.get("id") not in LEFT_OUT]
    return [c for c in cases if (is_refused(c) or c["id"] in AMBIGUOUS) == refused]


async def test_every_line_costs_what_it_must(asking: Asking, worker: None) -> None:
    by_currency: dict[str, list[Case]] = defaultdict(list)
    for case in told_cases(refused=False):
        by_currency[case["currency"]].append(case)
        await asking.post("meters", meter_of(case))
    clock = await asking.post("test-clocks", {"name": "rates", "now": JANUARY})
    await asking.post("customers", {"key": "acme", "test_clock": clock["id"]})
    for currency, cases in by_currency.items():
        await asking.post("plans", plan_of(currency, cases))
        await asking.post("subscriptions", {"key": currency, "customer": "acme", "plan": currency})
    everything = (case for cases in by_currency.values() for case in cases)
    assert await asking.send(event for case in everything for event in events_of(case)) == []
    faults: list[str] = []
    for currency, cases in by_currency.items():
        invoice = await asking.get(f"subscriptions/{currency}/upcoming-invoice")
        faults += charged_wrongly(cases, invoice)
    assert faults == []


async def test_what_is_wrong_is_refused_where_it_is_sent(asking: Asking) -> None:
    """A bad price with the plan that has it, a bad quantity with its event."""
    await asking.post("customers", {"key": "acme"})
    faults: list[str] = []
    ambiguous: set[str] = set()
    for case in told_cases(refused=True):
        await asking.post("meters", meter_of(case))
        response = await asking.client.post(
            "/v1/plans", json=plan_of(case["currency"], [case], key=case["id"])
        )
        if response.status_code == 422:
            paths = [fault["path"] for fault in response.json()["errors"]]
            faults += paths_differ(case, paths, "price", "items.0.price")
            ambiguous.update({case["id"]} if paths == ["items.0.price.cells.2.match"] else ())
            continue
        rejected = await asking.send(events_of(case))
        paths = [each["path"] for each in rejected]
        faults += [] if paths == ["properties.v"] else [f"{case['id']}: {paths}"]
    assert faults == []
    assert ambiguous >= AMBIGUOUS


def meter_of(case: Case) -> Mapping[str, object]:
    price = case.get("price") or {}
    grouped = {"group_by": price["dimensions"]} if price.get("model") == "matrix" else {}
    named = {"key": case["id"], "event_name": case["id"]}
    return {**named, "aggregation": "sum", "value": "v", **grouped}


def plan_of(currency: str, cases: Sequence[Case], key: str | None = None) -> Mapping[str, object]:
    items = [
        {"key": case["id"], "kind": "usage", "meter": case["id"], "price": case.get("price")}
        for case in cases
    ]
    interval = {"unit": "month", "count": 1}
    return {"key": key or currency, "currency": currency, "interval": interval, "items": items}


def events_of(case: Case) -> Iterator[Mapping[str, object]]:
    """The usage of a case, event by event, a second apart."""
    for number, properties in enumerate(_properties(case)):
        yield {
            "id": f"{case['id']}:{number}",
            "event_name": case["id"],
            "customer": "acme",
            "time": f"2026-01-02T00:00:{number:02}Z",
            "properties": properties,
        }


def _properties(case: Case) -> Iterator[Mapping[str, object]]:
    usage: Mapping[str, Any] = case["usage"]
    measured = "amount" if case["price"].get("model") == "dynamic" else "quantity"
    for each in usage.get("events", usage.get("groups", [usage])):
        if "events" not in usage or measured in each:
            yield {**each.get("key", {}), "v": each[measured]}
        else:
            yield {}


def charged_wrongly(cases: Sequence[Case], invoice: Mapping[str, Any]) -> Iterator[str]:
    charged = {line["item"]: Decimal(line["exact_amount"]) for line in invoice["lines"]}
    for case in cases:
        amount = Decimal(case["expect"]["amount"])
        if charged.get(case["id"], Decimal(0)) != amount:
            yield f"{case['id']}: {charged.get(case['id'])} instead of {amount}"
    if more := charged.keys() - {case["id"] for case in cases}:
        yield f"there are lines of {more}"
