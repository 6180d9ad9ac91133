"""Events, voids, late writers, holds, resets and the pump in any order, some of it at once: what a check answers from a row and
the news of it is what all events together give, and a hold is made where that says so.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from fractions import Fraction
from typing import Any, cast
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text
from temporalio.client import Client

from api import holding
from api.auth import Caller
from api.checking import check
from api.connections import Connections
from db import entitling
from db.allowance_upkeep import due_allowances
from db.allowances import Asked
from db.catalog import add
from db.events import ingest
from db.ids import new_id
from db.keys import ApiKey
from db.plans import add_version, lock_plan
from db.session import Database
from db.usage_pump import pump_once
from db.usage_voids import void_event
from domain.allowances import check_allowance
from domain.checks import Check
from domain.decimals import plain
from domain.documents import Document, answer_document
from domain.errors import LimitReached, Rejected
from domain.features import read_feature
from domain.holds import HoldOrder
from domain.metering.incoming import IncomingEvent
from domain.reading import instant
from tests.conftest import fresh_environment
from tests.servers import Addresses
from tests.usage_world import add_clock, add_customer, add_meter, add_subscription, an_event

FIRST = instant("2026-01-10T22:00:00Z")
LARGE = [{"property": "model", "in": ["large"]}]
UP = {"mode": "up", "scale": 0}
METERS: tuple[Mapping[str, object], ...] = (
    {"key": "tokens", "aggregation": "sum", "value": "tokens"},
    {"key": "large", "aggregation": "count", "filters": LARGE},
    {"key": "rounded", "aggregation": "sum", "value": "2 * tokens + 0.5", "rounding": UP},
    {"key": "grouped", "aggregation": "sum", "value": "tokens", "group_by": ["model"]},
    {"key": "peak", "aggregation": "max", "value": "tokens"},
)
KEYS = [str(meter["key"]) for meter in METERS]
PLAN = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "entitlements": [
        {"feature": "tokens", "type": "metered", "limit": "40", "soft_limit": "20"},
        {"feature": "large", "type": "metered", "limit": "3", "reset": "day"},
        {"feature": "rounded", "type": "metered", "limit": "50", "reset": "hour"},
        {"feature": "grouped", "type": "metered", "limit": "30", "reset": "never"},
        {"feature": "peak", "type": "metered", "limit": "8"},
    ],
}
TIMES = st.sampled_from([-31, -2, -1, 0, 0, 0, 0.5, 2, 23]).map(lambda days: timedelta(days=days))
EVENTS = st.tuples(
    st.sampled_from(["llm", "llm", "llm", "other"]),
    st.sampled_from([None, "s1", "s2"]),
    TIMES,
    st.sampled_from(["0.5", "3", "7.25", "-4"]),
    st.sampled_from(["large", "small"]),
)
Sent = tuple[str, str | None, timedelta, str, str]
NUMBERS = st.integers(0, 99)
AMOUNTS = st.sampled_from(["1", "4.5", "20"]).map(Fraction)


class Allowances(RuleBasedStateMachine):
    def __init__(self, urls: Addresses) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.urls = urls
        self.now = FIRST
        self.numbers = 0
        self.events: list[str] = []
        self.holds: list[str] = []
        self.late: AsyncExitStack | None = None

    @initialize()
    def begin(self) -> None:
        self._run(self._begin())

    async def _begin(self) -> None:
        self.database = Database(self.urls["app"])
        opened = await fresh_environment(self.database)
        self.environment = opened.id
        key = ApiKey("", opened.id, "", "test", "a test", ("usage",), FIRST, None)
        self.caller = Caller(key)
        self.opened = Connections(self.database, cast(Client, None))
        async with self.database.transaction(opened.id) as connection:
            clock = await add_clock(connection, opened.id, FIRST)
            self.acme = await add_customer(connection, opened.id, "acme", clock)
            for meter in METERS:
                await add_meter(connection, opened.id, {**meter, "event_name": "llm"})
                feature = {"key": meter["key"], "type": "metered", "meter": meter["key"]}
                await add(connection, opened.id, "features", new_id("fea"), feature)
            plan = await lock_plan(connection, opened.id, new_id("pln"), "pro")
            await add_version(connection, opened.id, plan, PLAN)
            await add_subscription(connection, opened.id, self.acme, "s1")
            await add_subscription(connection, opened.id, self.acme, "s2", "cancelled")
        every_month = [("llm", None, timedelta(days=days), "1", "small") for days in (-31, 0, 23)]
        await self._send(every_month)  # so that no late writer has a month's table to make
        await self._compare()

    @rule(sent=st.lists(EVENTS, min_size=1, max_size=3))
    def send(self, sent: Sequence[Sent]) -> None:
        self._do(self._send(sent))

    @rule(sent=st.lists(EVENTS, min_size=1, max_size=2))
    def write_late(self, sent: Sequence[Sent]) -> None:
        """A transaction that stays open while others come and go, and at last is committed."""
        self._do(self._write_late(sent) if self.late is None else self._commit())

    @rule(number=NUMBERS)
    def void(self, number: int) -> None:
        self._do(self._void(number))

    @rule(quantity=AMOUNTS)
    def hold(self, quantity: Fraction) -> None:
        """Nobody else is at work: it is made exactly where the whole computation allows it."""
        is_allowed = self._run(self._computed("tokens", quantity))["allowed"]
        assert self._run(self._hold(quantity)) == is_allowed
        self._do()

    @rule(number=NUMBERS, used=st.sampled_from([Fraction(1), Fraction("0.25")]))
    def settle(self, number: int, used: Fraction) -> None:
        self._do(self._settle(number, used))

    @rule(number=NUMBERS)
    def release(self, number: int) -> None:
        self._do(self._release(number))

    @rule(hours=st.sampled_from([1, 2, 2, 24, 24 * 21]))
    def move(self, hours: int) -> None:
        if self.now < FIRST + timedelta(days=40):
            self._do(self._move(hours))

    @rule(rolls_up=st.booleans())
    def pump(self, rolls_up: bool) -> None:
        self._do(self._pump(rolls_up))

    @rule(sent=st.lists(EVENTS, min_size=2, max_size=2), number=NUMBERS, quantity=AMOUNTS)
    def race(self, sent: Sequence[Sent], number: int, quantity: Fraction) -> None:
        self._do(
            self._send(sent[:1]),
            self._hold(quantity),
            self._pump(rolls_up=True),
            self._void(number),
            self._refresh(),
            self._send(sent[1:]),
            self._settle(number, Fraction(1)),
            self._answers(),
        )

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self._run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        await self._commit()
        await self._compare()
        await self.database.close()

    def _do(self, *at_once: Coroutine[Any, Any, object]) -> None:
        async def do() -> None:
            await asyncio.gather(*at_once)
            await self._compare()

        self._run(do())

    async def _compare(self) -> None:
        """What checks answer is what is computed of all events and all holds; and no claim is lost."""
        expected = [await self._computed(key) for key in KEYS]
        assert await self._answers() == expected
        assert await self._answers() == expected  # from what the first may have kept
        reserved, claimed = await self._row(
            "SELECT coalesce((SELECT sum(reserved) FROM allowances), 0),"
            " coalesce((SELECT sum(claim) FROM holds), 0)"
        )
        assert reserved == claimed

    async def _answers(self) -> Sequence[object]:
        return await check(self.opened, self.caller, [Check("acme", key) for key in KEYS])

    async def _computed(self, key: str, quantity: Fraction = Fraction(1)) -> Document:
        """The whole computation, as usage is billed, with what open holds claim; nothing that was kept is looked at."""
        async with self.database.transaction(self.environment, "REPEATABLE READ") as connection:
            person = await entitling.circumstances(connection, "acme")
            feature = read_feature({"key": key, "type": "metered", "meter": key})
            log = await entitling.log_seen(connection)
            with patch.object(entitling, "is_one_sum", return_value=False):
                computed = await entitling.compute(connection, person, feature, log)
        (held,) = await self._row(
            "SELECT coalesce(sum(claim), 0) FROM holds"
            " WHERE feature = :key AND status = 'open' AND expires_at > :now",
            key=key,
        )
        return answer_document(check_allowance(computed.allowance, quantity, Fraction(held)))

    async def _row(self, asked: str, **more: object) -> Sequence[Any]:
        async with self.database.transaction(self.environment) as connection:
            row = (await connection.execute(text(asked), {"now": self.now, **more})).one()
            return tuple(row)

    def _named(self, sent: Sequence[Sent]) -> list[IncomingEvent]:
        events = []
        for name, subscription, ago, tokens, model in sent:
            self.numbers += 1
            events.append(
                an_event(
                    f"e{self.numbers}",
                    event_name=name,
                    subscription=subscription,
                    time=(FIRST + ago).isoformat(),
                    properties={"tokens": tokens, "model": model},
                )
            )
        return events

    async def _send(self, sent: Sequence[Sent]) -> None:
        events = self._named(sent)
        async with self.database.transaction(self.environment) as connection:
            added = await ingest(connection, self.environment, events)
        assert added.accepted == len(events)
        self.events += [event.id for event in events]

    async def _write_late(self, sent: Sequence[Sent]) -> None:
        self.late = AsyncExitStack()
        connection = await self.late.enter_async_context(
            self.database.transaction(self.environment)
        )
        await ingest(connection, self.environment, self._named(sent))

    async def _commit(self) -> None:
        if self.late is not None:
            late, self.late = self.late, None
            await late.aclose()

    async def _void(self, number: int) -> None:
        event = self.events[number % len(self.events)]
        async with self.database.transaction(self.environment) as connection:
            await void_event(connection, self.environment, event, "a mistake")

    async def _hold(self, quantity: Fraction) -> bool:
        self.numbers += 1
        key = f"h{self.numbers}"
        order = HoldOrder("acme", feature="tokens", quantity=quantity, seconds=5_400, key=key)
        try:
            await holding.hold(self.opened, self.caller, order)
        except LimitReached:
            return False
        self.holds.append(key)
        return True

    async def _settle(self, number: int, used: Fraction) -> None:
        if self.holds:
            key = self.holds[number % len(self.holds)]
            try:
                await holding.settle(self.opened, self.caller, key, {"quantity": plain(used)})
            except Rejected:
                assert (await self._status(key)) != "open"

    async def _release(self, number: int) -> None:
        if self.holds:
            key = self.holds[number % len(self.holds)]
            try:
                await holding.release(self.opened, self.caller, key)
            except Rejected:
                assert (await self._status(key)) == "settled"

    async def _status(self, key: str) -> str:
        (status,) = await self._row(
            "SELECT CASE WHEN status = 'open' AND expires_at <= :now THEN 'expired' ELSE status END"
            " FROM holds WHERE key = :key",
            key=key,
        )
        return str(status)

    async def _move(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        moved = "UPDATE test_clocks SET now = :now RETURNING id"
        await self._row(moved)

    async def _pump(self, rolls_up: bool) -> None:
        if rolls_up:
            await pump_once(self.database, self.environment)
        due = await due_allowances(self.database, self.environment, 3)
        await entitling.refresh(self.database, self.environment, due)

    async def _refresh(self) -> None:
        asked = [Asked(self.acme, key) for key in KEYS]
        await entitling.refresh(self.database, self.environment, asked)

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine)


def test_what_is_kept_and_its_news_are_all_events_together(database_urls: Addresses) -> None:
    run_state_machine_as_test(
        lambda: Allowances(database_urls),  # type: ignore[arg-type]  # what makes one will do
        settings=settings(
            max_examples=6,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),  # to make an example smaller takes longer than to read it
            suppress_health_check=list(HealthCheck),
        ),
    )
