"""What the rating of what runs up rests on, of many lives in a few statements: what they cost does not grow with the age of
a life. Of the windows that were billed only those matter that usage has reached since, and a life remembers up to which
transactions that was looked for.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.billed_usage import BilledWindow, billed_windows, windows_since
from db.facts import load_customers, load_plan, meter_of, plans_for, reached_since
from db.invoice_lines import lines_in_advance_of
from db.meters import KeptMeter, kept_meters
from db.pools import consumer_of
from db.redemptions import redeemed
from db.usage_horizon import cut_off
from db.usage_late import Before, touched_from
from db.usage_of_many import Asked, usage_of_many
from domain.account import Facts, Need
from domain.ahead import Ahead, next_until
from domain.codec import from_plain
from domain.consumed import closings_of
from domain.customers import Customer
from domain.families import EVER
from domain.metering.consumption import BEGINNING
from domain.metering.meter import Meter, adds_up
from domain.plans import Plan, PlanRef
from domain.pricing.usage import Usage
from domain.redeeming import redeeming_ahead
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True, order=True)
class Payer:
    """Whose wallet, of which currency."""

    customer: str
    currency: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A life of which something is to be rated: as of its `mark`, after as many steps of it as it had `lived`. `at` is
    the time of who pays for it. Transactions before `looked_to` have reached none of its windows that were billed, or
    none that ends before `late_from`.
    """

    payer: Payer
    living: Subscription
    mark: int
    lived: int
    at: datetime
    looked_to: int
    late_from: datetime | None

    @property
    def is_in_grace(self) -> bool:
        living = self.living
        return not living.is_over and living.period is not None and living.period.end <= self.at


_MARKED = text("""
    SELECT p.customer, p.currency, s.state, r.marked, r.lived, coalesce(t.now, clock_timestamp()) AS at,
        r.looked_to::text AS looked_to, r.late_from
    FROM unnest(CAST(:customers AS text[]), CAST(:currencies AS text[])) AS p (customer, currency)
    JOIN running_usage r ON r.customer_id = p.customer AND r.currency = p.currency AND r.marked > r.rated
    JOIN subscriptions s ON s.environment_id = r.environment_id AND s.id = r.subscription_id
    JOIN customers c ON c.environment_id = r.environment_id AND c.id = p.customer
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
    ORDER BY r.subscription_id
""")
# The pump leaves the watermarks of meters where they are while the log has nothing new.
_ANY = text("""
    SELECT EXISTS (SELECT FROM usage_events WHERE tx >= CAST(:since AS xid8) AND tx < CAST(:until AS xid8))
""")


@dataclass(slots=True)
class Look:
    """One look at the books, in a transaction that is REPEATABLE READ: what it has read once cannot change. Usage of
    transactions before `counted_to` counts, and whoever may have any of those before `complete_to` is marked.
    """

    connection: AsyncConnection
    horizon: int
    counted_to: int
    complete_to: int
    meters: Mapping[str, KeptMeter]
    plain_meters: Mapping[str, Meter]
    customers: Mapping[str, Customer]
    plans: dict[PlanRef, Plan] = field(default_factory=dict)
    late_from: dict[str, datetime] = field(default_factory=dict)

    async def plan(self, ref: PlanRef) -> Plan:
        if ref not in self.plans:
            self.plans[ref] = await load_plan(self.connection, ref)
        return self.plans[ref]

    async def ahead(self, marked: Sequence[Marked]) -> list[Ahead]:
        """Each life as its period waits to be closed, or after all that was to be done by now where that is in its grace:
        without credits, which pay what runs up and are no part of it.
        """
        reached = await self._reached(marked)
        since = await self._to_load(marked, reached)
        windows = await windows_since(self.connection, since)
        advance = await lines_in_advance_of(
            self.connection, {each.living.id: _since(each.living) for each in marked}
        )
        found = []
        for each in marked:
            id = each.living.id
            loaded = windows[id]
            if loaded and since[id] > BEGINNING and await self._cut_levels(each.living, loaded):
                loaded = await billed_windows(self.connection, id)
            facts = await self._facts(each, loaded, reached[id])
            found.append(Ahead(each.living, replace(facts, advance=advance[id])))
        return await self._closed(marked, found)

    async def usage(
        self, needs: Iterable[tuple[Subscription, Iterable[Need]]]
    ) -> dict[str, dict[Need, Usage]]:
        """What each life has to know, by its id."""
        asked: dict[str, list[Asked]] = {}
        for living, those in needs:
            consumer = await consumer_of(self.connection, living, self.horizon)
            asked[living.id] = [Asked(consumer, need) for need in those]
        every = [each for those in asked.values() for each in those]
        used = await usage_of_many(self.connection, every, self.meters, self.counted_to)
        return {id: {each.need: used[each] for each in those} for id, those in asked.items()}

    async def _closed(self, marked: Sequence[Marked], lives: list[Ahead]) -> list[Ahead]:
        """Those whose period waits in its grace to be closed as they are after that; all of them step by step."""
        in_grace = {place: each.at for place, each in enumerate(marked) if each.is_in_grace}
        while takings := {
            place: taking
            for place, at in in_grace.items()
            if (taking := next_until(lives[place].subscription, at))
        }:
            needs = [
                (lives[place].subscription, lives[place].needs(taking))
                for place, taking in takings.items()
            ]
            used = await self.usage(needs)
            for place, taking in takings.items():
                lives[place] = lives[place].after(taking, used[lives[place].subscription.id])
        return lives

    async def _reached(self, marked: Sequence[Marked]) -> dict[str, datetime]:
        """From when on the time of each life that was billed may have been reached since; EVER where it was not."""
        stretches = [
            Before(each.living.customer, _open_from(each.living), each.looked_to) for each in marked
        ]
        touched = await touched_from(self.connection, stretches)
        return {
            each.living.id: BEGINNING
            if each.living.pools_usage
            else min(each.late_from or EVER, grain or EVER)
            for each, grain in zip(marked, touched, strict=True)
        }

    def _catches_up(self, meter: str) -> bool:
        """Whether a meter is behind the others: of what it will find, rollups tell nothing yet."""
        return self.meters[meter].rolled_up_to < self.counted_to

    async def _to_load(
        self, marked: Sequence[Marked], reached: Mapping[str, datetime]
    ) -> dict[str, datetime]:
        """From when on the windows of each life matter: all of them for levels that each window's end has cut, and while
        any may be of a meter that catches up.
        """
        if any(self._catches_up(key) for key in self.meters):
            return dict.fromkeys(reached, BEGINNING)
        found = dict(reached)
        for each in marked:
            if await self._cut_levels(each.living, ()):
                found[each.living.id] = BEGINNING
        return found

    async def _cut_levels(self, living: Subscription, windows: Sequence[BilledWindow]) -> bool:
        """Whether any plan of a life, or of these windows of it, has a level that the end of each window has cut."""
        plans = (await self._plans(living, windows)).values()
        keys = {item.meter for plan in plans for item in plan.items}
        return any(key in keys and adds_up(kept.meter) for key, kept in self.meters.items())

    async def _facts(
        self, marked: Marked, windows: Sequence[BilledWindow], reached: datetime
    ) -> Facts:
        living = marked.living
        plans = await self._plans(living, windows)
        facts = Facts(
            customer=self.customers[living.billed_to],
            plans=plans,
            meters=self.plain_meters,
            closings=closings_of([window.billed for window in windows], plans),
        )
        if marked.is_in_grace:
            coupons = redeeming_ahead(living, "period_end")
            counts = await redeemed(self.connection, coupons, living.customer)
            facts = replace(facts, redeemed=counts)
        after = [
            window
            for window in windows
            if window.billed.window.end > reached
            or self._catches_up(meter_of(facts, window.billed).key)
        ]
        if not after:
            return facts
        late = await reached_since(self.connection, facts, living, after, self.counted_to)
        if late:
            self.late_from[living.id] = min(each.window.start for each in late)
        return replace(facts, billed=late)

    async def _plans(
        self, living: Subscription, windows: Sequence[BilledWindow]
    ) -> dict[PlanRef, Plan]:
        refs = plans_for(living, "period_end", [window.billed for window in windows])
        return {ref: await self.plan(ref) for ref in refs}


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
            int(row.looked_to),
            row.late_from,
        )
        for row in await connection.execute(_MARKED, asked)
    ]


async def look_at(connection: AsyncConnection, marked: Sequence[Marked]) -> Look:
    horizon = await cut_off(connection)
    meters = {kept.meter.key: kept for kept in await kept_meters(connection)}
    # Up to here the pump has marked whom usage is of, also where meters that catch up have not counted it yet.
    ahead = max((kept.rolled_up_to for kept in meters.values()), default=horizon)
    asked = {"since": str(ahead), "until": str(horizon)}
    is_idle = not (await connection.execute(_ANY, asked)).scalar_one()
    return Look(
        connection=connection,
        horizon=horizon,
        counted_to=ahead or horizon,
        complete_to=horizon if is_idle else ahead,
        meters=meters,
        plain_meters={key: kept.meter for key, kept in meters.items()},
        customers=await load_customers(connection, {each.living.billed_to for each in marked}),
    )


def _since(living: Subscription) -> datetime:
    return living.period.start if living.period else living.started_at


def _open_from(living: Subscription) -> datetime:
    """What was billed of a life is before that."""
    return EVER if living.is_over or living.usage_from is None else living.usage_from
