"""What the usage API shows, what a preview shows and what an invoice bills are one number: for every aggregation, with
corrections, pauses, voids and late events, before the pump has run and after.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from random import Random
from typing import Any

import httpx

from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from domain.calculators.aggregating import answer_aggregate
from domain.reading import instant, written
from tests.api.asking import Asking

TIMEZONE = "America/New_York"
JANUARY, FEBRUARY, MARCH = "2026-01-01T05:00:00Z", "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"
PAUSED, RESUMED = "2026-01-10T07:20:00Z", "2026-01-12T00:00:00Z"
EVENTS = 60
LATE_EVENTS = 15

ENDING = {
    "rounding": {"mode": "half_up", "scale": 9}
}  # what has no last digit cannot be added up as it is shown

METERS: Mapping[str, Mapping[str, object]] = {
    "count": {"aggregation": "count"},
    "sum": {"aggregation": "sum", "rounding": {"mode": "up", "scale": 1}},
    "sum-of-large": {"aggregation": "sum", "filters": [{"property": "v", "gte": "5"}]},
    "expression": {"aggregation": "sum", "value": "2 * v + 0.5"},
    "held": {"aggregation": "sum", "carry_over": True},
    "max": {"aggregation": "max"},
    "highest-held": {"aggregation": "max", "carry_over": True},
    "peaks": {"aggregation": "max", "window": "day"},
    "min": {"aggregation": "min"},
    "avg": {"aggregation": "avg", **ENDING},
    "latest": {"aggregation": "latest"},
    "latest-held": {"aggregation": "latest", "carry_over": True},
    "unique": {"aggregation": "unique_count", "value": "user"},
    "unique-by-week": {"aggregation": "unique_count", "value": "user", "window": "week"},
    "level": {"aggregation": "weighted_sum", **ENDING},
    "level-held": {"aggregation": "weighted_sum", "carry_over": True, "level": "set", **ENDING},
    "percentile": {"aggregation": "percentile", "percentile": "95"},
    "by-model": {"aggregation": "sum", "group_by": ["model"]},
    "peaks-by-model": {"aggregation": "max", "window": "hour", "group_by": ["model"]},
}
MATRIX = {
    "model": "matrix",
    "dimensions": ["model"],
    "cells": [{"match": {"model": "large"}, "unit_amount": "2"}],
    "default_unit_amount": "1",
}
PER_UNIT = {"model": "per_unit", "unit_amount": "1"}

Quantities = Mapping[str, Fraction]


def meter_of(key: str) -> dict[str, object]:
    value = {} if key == "count" else {"value": "v"}
    return {"key": key, "event_name": "used", **value, **METERS[key]}


class Life:
    """A subscription with an item on each meter, on a test clock, and all that was sent for it."""

    def __init__(self, asking: Asking, chance: Random) -> None:
        self.asking = asking
        self.chance = chance
        self.sent: list[Mapping[str, Any]] = []
        self.clock = ""

    async def begin(self) -> None:
        self.clock = (await self.asking.post("test-clocks", {"name": "c", "now": JANUARY}))["id"]
        for key in METERS:
            await self.asking.post("meters", meter_of(key))
        items = [
            {"key": key, "kind": "usage", "meter": key, "price": MATRIX if "group_by" in more else PER_UNIT}
            for key, more in METERS.items()
        ]  # fmt: skip
        interval = {"unit": "month", "count": 1}
        await self.asking.post("plans", {"key": "p", "currency": "USD", "interval": interval, "items": items})  # fmt: skip
        customer = {"key": "acme", "timezone": TIMEZONE, "test_clock": self.clock}
        await self.asking.post("customers", customer)
        await self.asking.post("subscriptions", {"key": "s", "customer": "acme", "plan": "p"})

    async def use(self, number: int) -> None:
        """Some use in January and shortly after, in no order; a part of it takes something back."""
        events = [self._event() for _ in range(number)]
        assert await self.asking.send(events) == []
        self.sent += events

    async def take_back(self, number: int) -> None:
        """Void the events that were sent first."""
        for event in self.sent[:number]:
            await self.asking.post(f"events/{event['id']}/void", {"reason": "it was a test"})

    async def advance(self, to: str) -> None:
        await self.asking.post(f"test-clocks/{self.clock}/advance", {"to": to})

    async def shown(self, **asked: str) -> Quantities:
        """By meter, the quantity of all groups together that the usage API shows."""
        path, query = "customers/acme/usage", {"subscription": "s", **asked}
        rows = (await self.asking.get(path, **query))["data"]
        quantities = {row["meter"]: Fraction(row["quantity"]) for row in rows}
        for key in (key for key, more in METERS.items() if "group_by" in more):
            groups = await self.asking.get(path, meter=key, group_by="model", **query)
            quantities[key] = sum((Fraction(g["quantity"]) for g in groups["data"]), Fraction(0))
        return quantities

    async def upcoming(self, kind: str = "usage") -> Quantities:
        return billed(await self.asking.get("subscriptions/s/upcoming-invoice"), kind)

    async def invoiced(self, at: str, kind: str = "usage") -> Quantities:
        invoices = (await self.asking.get("invoices"))["data"]
        return billed(next(each for each in invoices if each["issued_at"] == at), kind)

    def computed(self) -> Quantities:
        """What the calculator makes of all that was sent, in January."""
        events = [{"time": e["time"], "properties": e["properties"]} for e in self.sent]
        period = {"period": [JANUARY, FEBRUARY], "timezone": TIMEZONE, "events": events}
        answers = {key: answer_aggregate({"meter": meter_of(key), **period}) for key in METERS}
        return {key: sum(_at_least_nothing(a), Fraction(0)) for key, a in answers.items()}

    def _event(self) -> Mapping[str, Any]:
        passed = timedelta(microseconds=self.chance.randrange(33 * 86_400_000_000))
        model = self.chance.choice([{}, {"model": "large"}, {"model": "small"}])
        value = f"{self.chance.randint(-3, 20)}.{self.chance.randint(0, 99):02}"
        return {
            "id": f"e{self.chance.getrandbits(64)}",
            "event_name": "used",
            "customer": "acme",
            "time": written(instant(JANUARY) + passed),
            "properties": {"v": value, "user": f"u{self.chance.randint(1, 9)}", **model},
        }


def billed(invoice: Mapping[str, Any], kind: str) -> Quantities:
    lines: Sequence[Mapping[str, Any]] = invoice["lines"]
    found = {line["item"]: Fraction(line["quantity"]) for line in lines if line["kind"] == kind}
    return {key: found.get(key, Fraction(0)) for key in METERS}


def _at_least_nothing(answer: Mapping[str, Any]) -> Iterator[Fraction]:
    groups: Sequence[Mapping[str, Any]] = answer.get("groups", [answer])
    return (max(Fraction(group["quantity"]), Fraction(0)) for group in groups)


async def test_what_is_shown_is_what_is_billed(
    client: httpx.AsyncClient,
    worker: None,
    database: Database,
    environment: Environment,
) -> None:
    async def pump() -> None:
        await wait_for_horizon(database)
        await pump_once(database, environment.id)

    life = Life(Asking(client), Random(1))
    await life.begin()
    await life.use(EVENTS)
    assert await life.shown() == await life.upcoming() == life.computed()
    await pump()
    assert await life.shown() == await life.upcoming() == life.computed()
    await life.use(EVENTS)
    assert await life.shown() == await life.upcoming() == life.computed()

    await life.advance(PAUSED)
    await client.post("/v1/subscriptions/s/pause", json={})
    assert await life.shown() == await life.upcoming()
    await life.advance(RESUMED)
    await client.post("/v1/subscriptions/s/resume", json={})
    january = await life.shown()
    assert january == await life.upcoming() != life.computed()
    await pump()
    assert await life.shown() == january

    await life.advance(FEBRUARY)
    assert await life.invoiced(FEBRUARY) == january
    assert await life.shown(**{"from": JANUARY, "to": FEBRUARY}) == january
    assert await life.shown() == await life.upcoming()

    await life.use(LATE_EVENTS)
    await life.take_back(3)
    for _ in range(2):
        late = await life.upcoming("late_usage")
        since = await life.shown(**{"from": JANUARY, "to": FEBRUARY})
        assert since == {key: january[key] + late[key] for key in METERS}
        assert await life.shown() == await life.upcoming()
        await pump()
    february = await life.shown()
    await life.advance(MARCH)
    assert await life.invoiced(MARCH, "late_usage") == late
    assert await life.invoiced(MARCH) == february
