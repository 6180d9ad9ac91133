"""Lines explained over HTTP: by the events that they were computed from, to the last decimal."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import httpx
import pytest

from cli.client import WeirClient
from cli.explain import show_lines, show_verdicts
from domain.calendar import Period
from domain.catalog import read_plan
from domain.decimals import fixed, plain, read_decimal
from domain.documents import ENDLESS_DIGITS
from domain.metering.consumption import consumption
from domain.metering.events import UsageEvent
from domain.metering.measuring import Measure, measure
from domain.metering.meter import read_meter
from domain.money import settle
from domain.pricing.price import usage_shape
from domain.rating import rate
from domain.reading import instant

JANUARY, FEBRUARY, MARCH = (f"2026-0{month}-01T00:00:00Z" for month in (1, 2, 3))
NEW_YORK = "America/New_York"

UNIT: Mapping[str, Any] = {"model": "per_unit", "unit_amount": "0.0123"}
TIERS: Mapping[str, Any] = {
    "model": "graduated",
    "tiers": [
        {"up_to": "30", "unit_amount": "0.02", "flat_amount": "1"},
        {"up_to": "300", "unit_amount": "0.015"},
        {"up_to": None, "unit_amount": "0.007"},
    ],
}
CELLS: Mapping[str, Any] = {
    "model": "matrix",
    "dimensions": ["model"],
    "cells": [{"match": {"model": "large"}, "unit_amount": "0.03"}],
    "default_unit_amount": "0.001",
}

# One item a meter: what it aggregates, what else the meter says, and its price.
ITEMS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "count": ({"aggregation": "count"}, {"model": "package", "package_size": "3", "package_amount": "1"}),
    "sum": ({"aggregation": "sum", "rounding": {"mode": "up", "scale": 0}}, TIERS),
    "max": ({"aggregation": "max"}, UNIT),
    "min": ({"aggregation": "min"}, UNIT),
    "avg": ({"aggregation": "avg"}, {"model": "volume", "tiers": [{"up_to": None, "unit_amount": "0.7"}]}),
    "latest": ({"aggregation": "latest", "carry_over": True}, UNIT),
    "unique": ({"aggregation": "unique_count", "value": "model"}, UNIT),
    "held": ({"aggregation": "weighted_sum"}, UNIT),
    "below": ({"aggregation": "sum", "value": "21.5 - tokens", "carry_over": True}, UNIT),
    "set": ({"aggregation": "weighted_sum", "level": "set", "carry_over": True}, UNIT),
    "ninety": ({"aggregation": "percentile", "percentile": "90"}, UNIT),
    "peaks": ({"aggregation": "max", "window": "day"}, UNIT),
    "large": ({"aggregation": "sum", "filters": [{"property": "model", "in": ["large"]}]}, UNIT),
    "cells": ({"aggregation": "sum", "group_by": ["model"]}, CELLS),
    "fees": ({"aggregation": "sum"}, {"model": "percentage", "rate": "2.9", "fixed_amount": "0.3", "free_events": "1"}),
    "passed": ({"aggregation": "sum"}, {"model": "dynamic", "multiplier": "1.1"}),
    "spent": ({"aggregation": "sum"}, {"model": "graduated_percentage", "tiers": [{"up_to": "100", "rate": "3"}, {"up_to": None, "rate": "1"}]}),
}  # fmt: skip

USED: tuple[tuple[str, str, str, str], ...] = (
    ("e1", "2026-01-02T10:00:00Z", "12.5", "large"),
    ("e2", "2026-01-02T23:30:00Z", "40", "small"),
    ("e3", "2026-01-03T04:30:00Z", "70.25", "large"),
    ("e4", "2026-01-12T00:00:00Z", "500", "small"),  # in the pause
    ("e5", "2026-01-20T12:00:00.5Z", "-3", "large"),
    ("e6", "2026-01-20T12:00:00.5Z", "9.75", "small"),
    ("e7", "2026-01-31T23:59:59.999999Z", "33", "tiny"),
    ("e8", "2026-01-25T00:00:00Z", "1000", "large"),  # voided
)


def plan() -> dict[str, Any]:
    metered = [
        {"key": key, "kind": "usage", "meter": key, "charged": "in_arrears", "price": price}
        for key, (_, price) in ITEMS.items()
    ]
    seats = {"key": "seats", "kind": "recurring", "charged": "in_advance", "quantity": "3"}
    at_once = {"key": "at-once", "kind": "usage", "meter": "at-once", "charged": "in_advance"}
    by_day = {**at_once, "key": "by-day", "advance_invoicing": "day", "price": {**UNIT}}
    unit = {"model": "per_unit", "unit_amount": "9.99"}
    return {
        "key": "pro",
        "currency": "USD",
        "interval": {"unit": "month"},
        "minimum_commitment": "500",
        "items": [{**seats, "price": unit}, *metered, {**at_once, "price": {**UNIT, "included": "1"}}, by_day],
    }  # fmt: skip


def meters() -> list[dict[str, Any]]:
    shared = {"event_name": "llm", "value": "tokens"}
    made = [{"key": key, **shared, **more} for key, (more, _) in ITEMS.items()]
    for meter in made:
        if meter["aggregation"] == "count":
            del meter["value"]
    at_once = {"key": "at-once", "event_name": "asked", "aggregation": "sum", "value": "tokens"}
    return [*made, at_once]


class Shop:
    """A customer in New York, taxed, with a coupon and a grant, on a plan of everything."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.clock = ""

    async def post(self, path: str, body: object = None) -> Any:
        response = await self.client.post(f"/v1/{path}", json=body)
        assert response.is_success, response.text
        return response.json()

    async def get(self, path: str) -> Any:
        response = await self.client.get(f"/v1/{path}")
        assert response.is_success, response.text
        return response.json()

    async def open(self) -> None:
        self.clock = (await self.post("test-clocks", {"name": "a test", "now": JANUARY}))["id"]
        for meter in meters():
            await self.post("meters", meter)
        await self.post("plans", plan())
        await self.post("tax-rates", {"key": "vat", "percent": "19"})
        await self.post("coupons", {"key": "launch", "percent_off": "7", "duration": "forever"})
        customer = {"key": "acme", "test_clock": self.clock, "timezone": NEW_YORK}
        await self.post("customers", {**customer, "tax_rates": ["vat"]})
        await self.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
        grant = {"key": "welcome", "customer": "acme", "amount": "5.00", "currency": "USD"}
        await self.post("credit-grants", {**grant, "kind": "promotional"})
        life = {"key": "s1", "customer": "acme", "plan": "pro", "coupons": ["launch"]}
        await self.post("subscriptions", life)

    async def advance(self, to: str) -> None:
        await self.post(f"test-clocks/{self.clock}/advance", {"to": to})

    async def use(self, *events: tuple[str, str, str, str], name: str = "llm") -> None:
        sent = [
            {
                "id": id,
                "event_name": name,
                "customer": "acme",
                "time": time,
                "properties": {"tokens": tokens, "model": model},
            }
            for id, time, tokens, model in events
        ]
        assert (await self.post("events", sent))["accepted"] == len(sent)

    async def live(self) -> None:
        """Two months with a pause, a void, usage charged as it arrives, and usage that comes late."""
        await self.use(*USED)
        await self.post("events/e8/void", {"reason": "a test of ours"})
        await self.advance("2026-01-10T00:00:00Z")
        await self.use(("a1", "2026-01-09T00:00:00Z", "3.3", "large"), name="asked")
        await self.use(("a2", "2026-01-09T06:00:00Z", "4", "large"), name="asked")
        await self.use(("a3", "2026-01-20T00:00:00Z", "50", "large"), name="asked")  # timed ahead
        await self.post("subscriptions/s1/pause", {})
        await self.advance("2026-01-15T00:00:00Z")
        await self.post("subscriptions/s1/resume", {})
        await self.post("subscriptions/s1/set-quantity", {"item": "seats", "quantity": "5"})
        await self.advance(FEBRUARY)
        await self.use(("l1", "2026-01-05T00:00:00Z", "17", "large"))
        await self.use(("l2", "2026-01-06T00:00:00Z", "1", "huge"))
        await self.post("events/e2/void", {"reason": "it never happened"})
        await self.use(("f1", "2026-02-05T00:00:00Z", "21", "small"))
        await self.advance(MARCH)

    async def every(self, path: str) -> list[Any]:
        """All entries of a list, six a page."""
        page = await self.get(f"{path}?limit=6")
        entries = list(page["data"])
        while page["next"] is not None:
            page = await self.get(f"{path}?limit=6&after={page['next']}")
            entries += page["data"]
        return entries


@pytest.fixture
async def shop(client: httpx.AsyncClient, worker: None) -> Shop:
    opened = Shop(client)
    await opened.open()
    return opened


async def test_a_line_is_the_sum_of_the_events_that_it_lists(shop: Shop) -> None:
    await shop.live()
    billed, days = set[tuple[str, str]](), set[str]()
    for invoice in await shop.every("invoices"):
        explained = [
            await shop.get(f"invoices/{invoice['number']}/lines/{number}/explain")
            for number, _ in enumerate(invoice["lines"], start=1)
        ]
        for line in explained:
            assert line["agrees"], line
            if line["usage"] is not None:
                billed.add((line["kind"], line["item"]))
                if line["usage"]["period"] != line["period"]:
                    days.add(line["item"])
                assert await exact_amount_of_events(shop, line) == line["exact_amount"], line
        held_together(invoice, explained)
    kinds = {(kind, item) for item in ITEMS for kind in ("usage", "late_usage")}
    unmoved = {("late_usage", item) for item in ("latest", "max", "min", "ninety")}
    assert kinds - billed == unmoved
    assert ("usage", "at-once") in billed
    assert days == {"by-day"}  # its day had ended, and not its window


async def test_a_share_of_a_period_is_told_with_its_parts(shop: Shop) -> None:
    await shop.advance("2026-01-16T00:00:00Z")
    await shop.post("subscriptions/s1/set-quantity", {"item": "seats", "quantity": 5})
    await shop.advance(FEBRUARY)
    closing = (await shop.every("invoices"))[-1]
    number = 1 + next(n for n, line in enumerate(closing["lines"]) if line["kind"] == "proration")
    line = await shop.get(f"invoices/{closing['number']}/lines/{number}/explain")
    share = line["share"]
    # From 16 January 00:00 UTC to 1 February 00:00 UTC are 16 of 31 days.
    assert (share["fraction"], share["unit"]) == ("16/31", "second")
    assert (share["part"], share["whole"]) == ("1382400", "2678400")
    assert (share["quantity"], share["quantity_before"]) == ("5", "3")
    assert share["full_amount"] == "19.98"
    assert line["exact_amount"] == plain(Fraction("19.98") * 16 / 31, ENDLESS_DIGITS)


async def test_what_a_commitment_was_compared_with_is_told(shop: Shop) -> None:
    await shop.use(("e1", "2026-01-02T10:00:00Z", "100", "large"))
    await shop.advance(FEBRUARY)
    closing = (await shop.every("invoices"))[-1]
    last = await shop.get(f"invoices/{closing['number']}/lines/{len(closing['lines'])}/explain")
    compared = last["commitment"]
    assert (compared["committed"], compared["fraction"]) == ("500", "1/1")
    arrears = sum(
        Fraction(line["exact_amount"]) for line in closing["lines"] if line["kind"] == "usage"
    )
    # The seats of January, 3 at 9.99, were charged as it began.
    assert fixed(Fraction(compared["spent"]), 9) == fixed(arrears + Fraction("29.97"), 9)
    assert fixed(Fraction(last["exact_amount"]), 9) == fixed(500 - Fraction(compared["spent"]), 9)


async def test_what_was_asked_for_is_told_as_it_was_asked(shop: Shop) -> None:
    await shop.post("customers/acme/top-ups", {"key": "t1", "amount": "25.00", "currency": "USD"})
    one_off = {"key": "setup", "description": "Setup", "amount": "7.50"}
    await shop.post("subscriptions/s1/add-ons", one_off)
    await shop.advance(FEBRUARY)
    found = {
        line["kind"]: await shop.get(f"invoices/{invoice['number']}/lines/{number}/explain")
        for invoice in await shop.every("invoices")
        for number, line in enumerate(invoice["lines"], start=1)
    }
    assert found["top_up"]["asked"] == {
        "description": "Top-up t1",
        "quantity": "1",
        "amount": "25",
    }
    assert found["top_up"]["decision"].startswith("topup:")
    assert found["one_off"]["asked"] == {"description": "Setup", "quantity": "1", "amount": "7.5"}


async def test_what_cannot_be_explained_is_said(shop: Shop) -> None:
    for path, status, said in (
        ("INV-000001/lines/2/explain", 404, "INV-000001 has no line 2"),
        ("INV-000009/lines/1/explain", 404, "there is no invoice INV-000009"),
        ("INV-000001/lines/1/events", 404, "line 1 of INV-000001 is not for usage"),
        ("INV-000009/verify", 404, "there is no invoice INV-000009"),
    ):
        answer = await shop.client.get(f"/v1/invoices/{path}")
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True), path
    assert (await shop.client.get("/v1/invoices/INV-000001/lines/0/explain")).status_code == 422


async def test_documents_are_verified_void_ones_too(shop: Shop) -> None:
    await shop.post(
        "customers/acme/payment-methods", {"payment_method": "pm_card_chargeCustomerFail"}
    )
    await shop.use(("e1", "2026-01-02T10:00:00Z", "100", "large"))
    await shop.advance("2026-02-01T00:00:00Z")
    issued = await shop.every("invoices")
    open_one = next(invoice for invoice in issued if invoice["status"] in ("open", "past_due"))
    await shop.post(f"invoices/{open_one['number']}/void")
    await shop.advance("2026-03-10T00:00:00Z")
    cancelled = await shop.post("subscriptions/s1/cancel", {"effective": "immediately"})
    numbers = [f"invoices/{each['number']}" for each in await shop.every("invoices")]
    numbers += [f"credit-notes/{each['number']}" for each in await shop.every("credit-notes")]
    assert len(numbers) > len(cancelled["issued"]["credit_notes"]) > 0
    for number in numbers:
        verdict = await shop.get(f"{number}/verify")
        assert (verdict["verdict"], verdict["differences"]) == ("agrees", []), number


async def exact_amount_of_events(shop: Shop, line: Mapping[str, Any]) -> str:
    """The line's amount, from what it says of itself and the events it lists, and nothing else."""
    usage = line["usage"]
    events = await shop.every(usage["events"].removeprefix("/v1/"))
    assert usage["number_of_events"] == len(events) == len({event["id"] for event in events})
    meter = read_meter(usage["meter"])
    measures = [as_measured(meter, event, place) for place, event in enumerate(events)]
    item = read_plan(plan(), 1).item(line["item"])
    assert item is not None
    window, pauses = period(usage["period"]), [period(pause) for pause in usage["pauses"]]
    shape = usage_shape(item.price)
    closed = [instant(end) for end in usage["level_closed_at"]]
    used = consumption(meter, measures, window, shape, usage["timezone"], pauses, closed)
    rated = rate(item.price, used)
    steps = sum((read_decimal(step["amount"]) for step in line["trace"]), Fraction(0))
    assert fixed(steps, ENDLESS_DIGITS) == fixed(rated.amount, ENDLESS_DIGITS)
    assert plain(rated.amount, ENDLESS_DIGITS) == line["rated"]
    exact = rated.amount
    if item.charged == "in_advance":
        exact = settle(exact, "USD").exact
        assert line["settled"] == plain(exact)
    if line["billed_before"] is not None:
        exact -= read_decimal(line["billed_before"]["exact_amount"])
    return plain(exact, ENDLESS_DIGITS)


def as_measured(meter: Any, event: Mapping[str, Any], place: int) -> Measure:
    """An event of the list, which says itself what was measured of it."""
    kept = UsageEvent(
        id=event["id"],
        event_name=event["event_name"],
        customer=event["customer"],
        time=instant(event["time"]),
        properties=event["properties"],
        arrival=place,
    )
    found = measure(meter, kept)
    assert found is not None
    shown = found.value if isinstance(found.value, str) else plain(found.value)
    assert (event["quantity"], event["group"]) == (shown, dict(found.group))
    return found


def held_together(invoice: Mapping[str, Any], lines: list[Mapping[str, Any]]) -> None:
    """The parts of all lines are the invoice's discounts, credits, taxes and cents."""
    for name, key, whole in (
        ("discounts", "coupon", invoice["discounts"]),
        ("taxes", "rate", invoice["taxes"]),
    ):
        for applied in whole:
            parts = [part for line in lines for part in line[name] if part[key] == applied[key]]
            assert sum(Fraction(part["amount"]) for part in parts) == Fraction(applied["amount"])
    credits = [part for line in lines for part in line["promotional_credits"]]
    assert sum(Fraction(part["amount"]) for part in credits) == Fraction(
        invoice["promotional_credits"]
    )
    roundings = [line["rounding"] for line in lines]
    assert sum(each["got_unit"] for each in roundings) == roundings[0]["missing_units"]
    for line, each in zip(lines, roundings, strict=True):
        unit = Fraction(1, 100) if each["got_unit"] else Fraction(0)
        assert Fraction(each["floor"]) + unit == Fraction(line["amount"])
        assert each["subtotal"] == invoice["subtotal"]


def period(pair: list[str]) -> Period:
    return Period(instant(pair[0]), instant(pair[1]))


async def test_the_command_says_it_to_a_person(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    await shop.use(*USED[:3])
    await shop.advance(FEBRUARY)
    key = shop.client.headers["Authorization"].removeprefix("Bearer ")
    transport = shop.client._transport
    async with WeirClient("http://weir.test", key, transport) as weir:
        await show_lines(weir, "INV-000002", 3, as_json=False)
        assert not await show_verdicts(weir, None, as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    # 123 tokens: 30 at 0.02 and a flat 1, 93 at 0.015.
    for part in (
        "INV-000002 line 3: pro: sum (usage)",
        "3.00 USD, exactly 2.995",
        "Each tier's units at that tier's rate, plus the flat amount of each tier reached.",
        "tiers.1.unit_amount 93 0.015 1.395",
        "Measured by sum: sum of tokens over llm is 122.75, rounded to 123.",
        "From 3 events before watermark",
        "/v1/invoices/INV-000002/lines/3/events",
        "Coupon launch:",
        "Tax vat, 19 percent of",
        "INV-000001 agrees INV-000002 agrees",
    ):
        assert part in told, told
