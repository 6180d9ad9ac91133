"""What the rating of what runs up rests on, of many lives in a few statements."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.billed_usage import BilledWindow, windows_of
from db.facts import load_customers, load_plan, plans_for, reached_since
from db.foresight import Foresight
from db.invoice_lines import lines_in_advance_of
from db.meters import KeptMeter, kept_meters
from db.usage_horizon import cut_off
from db.usage_late import ClosedStretch, maybe_late
from domain.account import Facts
from domain.ahead import Ahead
from domain.calendar import Period
from domain.codec import from_plain
from domain.consumed import closings_of
from domain.customers import Customer
from domain.metering.consumption import BEGINNING
from domain.metering.meter import Meter
from domain.plans import Plan, PlanRef
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True, order=True)
class Payer:
    """Whose wallet, of which currency."""

    customer: str
    currency: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A life of which something is to be rated: as of its `mark`, after as many steps of it as it had `lived`. `at` is
    the time of who pays for it.
    """

    payer: Payer
    living: Subscription
    mark: int
    lived: int
    at: datetime


_MARKED = text("""
    SELECT p.customer, p.currency, s.state, r.marked, r.lived, coalesce(t.now, clock_timestamp()) AS at
    FROM unnest(CAST(:customers AS text[]), CAST(:currencies AS text[])) AS p (customer, currency)
    JOIN running_usage r ON r.customer_id = p.customer AND r.currency = p.currency AND r.marked > r.rated
    JOIN subscriptions s ON s.environment_id = r.environment_id AND s.id = r.subscription_id
    JOIN customers c ON c.environment_id = r.environment_id AND c.id = p.customer
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
    ORDER BY r.subscription_id
""")


@dataclass(slots=True)
class Look:
    """One look at the books, in a transaction that is REPEATABLE READ: what it has read once cannot change. Usage counts
    as far as it has been rolled up.
    """

    connection: AsyncConnection
    horizon: int
    rolled_up_to: int
    meters: Mapping[str, KeptMeter]
    plain_meters: Mapping[str, Meter]
    plans: dict[PlanRef, Plan]
    customers: Mapping[str, Customer]
    windows: Mapping[str, tuple[BilledWindow, ...]]
    maybe_late: frozenset[str]

    @property
    def foresight(self) -> Foresight:
        return Foresight(self.connection, self.rolled_up_to)

    async def plan(self, ref: PlanRef) -> Plan:
        if ref not in self.plans:
            self.plans[ref] = await load_plan(self.connection, ref)
        return self.plans[ref]

    async def ahead(self, marked: Sequence[Marked]) -> list[Ahead]:
        """Each life as its period waits to be closed, or after all that was to be done by now: without credits, which
        pay what runs up and are no part of it.
        """
        since = {m.living.id: _since(m.living) for m in marked}
        advance = await lines_in_advance_of(self.connection, since)
        found = []
        for each in marked:
            living = each.living
            is_waiting = living.period is not None and living.period.end <= each.at
            if is_waiting and not living.is_over:
                found.append(await self._closed(each))
                continue
            facts = await self._facts(living)
            found.append(Ahead(living, replace(facts, advance=advance[living.id])))
        return found

    async def _closed(self, marked: Marked) -> Ahead:
        """A period that waits in its grace to be closed, and the one after it."""
        ahead = await self.foresight.of(marked.living, "period_end")
        facts = replace(ahead.facts, grants=(), credit_notes=())
        return await self.foresight.until(replace(ahead, facts=facts), marked.at)

    async def _facts(self, living: Subscription) -> Facts:
        windows = self.windows[living.id]
        billed = [window.billed for window in windows]
        plans = {ref: await self.plan(ref) for ref in plans_for(living, "period_end", billed)}
        facts = Facts(
            customer=self.customers[living.billed_to],
            plans=plans,
            meters=self.plain_meters,
            closings=closings_of(billed, plans),
        )
        if not windows or not (living.pools_usage or living.customer in self.maybe_late):
            return facts
        late = await reached_since(self.connection, facts, living, windows, self.rolled_up_to)
        return replace(facts, billed=late)


async def marked_of(connection: AsyncConnection, payers: Collection[Payer]) -> list[Marked]:
    """The lives of these payers that wait for a rating."""
    asked = {
        "customers": [payer.customer for payer in payers],
        "currencies": [payer.currency for payer in payers],
    }
    return [
        Marked(
            Payer(row.customer, row.currency),
            from_plain(Subscription, row.state),
            row.marked,
            row.lived,
            row.at,
        )
        for row in await connection.execute(_MARKED, asked)
    ]


async def look_at(connection: AsyncConnection, marked: Sequence[Marked]) -> Look:
    horizon = await cut_off(connection)
    meters = {kept.meter.key: kept for kept in await kept_meters(connection)}
    lives = [each.living for each in marked]
    rolled_up_to = max((kept.rolled_up_to for kept in meters.values()), default=0) or horizon
    windows = await windows_of(connection, {living.id for living in lives})
    return Look(
        connection=connection,
        horizon=horizon,
        rolled_up_to=rolled_up_to,
        meters=meters,
        plain_meters={key: kept.meter for key, kept in meters.items()},
        plans={},
        customers=await load_customers(connection, {living.billed_to for living in lives}),
        windows=windows,
        maybe_late=await maybe_late(connection, _closed_of(lives, windows, meters), rolled_up_to),
    )


def _closed_of(
    lives: Iterable[Subscription],
    windows: Mapping[str, tuple[BilledWindow, ...]],
    meters: Mapping[str, KeptMeter],
) -> Iterator[ClosedStretch]:
    """The time that was billed of each life: where levels carry over, all before it too."""
    carries_over = any(kept.meter.carry_over for kept in meters.values())
    for living in lives:
        for each in windows[living.id]:
            window = each.billed.window
            start = BEGINNING if carries_over else window.start
            yield ClosedStretch(living.customer, Period(start, window.end), each.cut_off)


def _since(living: Subscription) -> datetime:
    return living.period.start if living.period else living.started_at
