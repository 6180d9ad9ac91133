"""What a customer may use, computed from rows: subscriptions, their plans and add-ons, overrides, and what was used."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import (
    Asked,
    Computed,
    Found,
    generations,
    keep_allowance,
    lock_allowance,
    place,
)
from db.catalog import find_keys
from db.claims import Claimed, give_back_what_is_counted
from db.clocks import find_clock
from db.customer_entitlements import overrides_of
from db.customers import CustomerRow, find_customer
from db.facts import closings
from db.meters import kept_meters
from db.outbox import announce
from db.plans import find_plan
from db.pools import consumer_of
from db.session import Database
from db.subscriptions import living_of
from db.usage import measured_in, usage_for
from db.usage_horizon import Snapshot, all_before, snapshot_of
from db.usage_measures import Consumer
from domain.account import Need
from domain.allowances import at_present, differs
from domain.catalog import read_plan
from domain.charges import total_quantity
from domain.consumed import closings_before
from domain.documents import answer_document
from domain.entitlements import Claim, Override, Standing, Use, allowance, entitled, standing
from domain.errors import Corrupt
from domain.features import read_feature
from domain.metering.meter import Meter, adds_up
from domain.plans import Feature, Plan
from domain.subscription import Subscription
from domain.tallies import Tally, is_one_sum

TOPIC = "entitlement.changed"
KEPT_AT_ONCE = 10  # rows: holds on them wait for so many


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All of a customer that decides what it may use, but for what was used, at an instant."""

    customer: CustomerRow
    at: datetime
    lives: Sequence[tuple[Subscription, Plan]]
    overrides: Mapping[str, Override]

    def standings(self, feature: str) -> list[Standing]:
        found = [standing(subscription, plan, feature) for subscription, plan in self.lives]
        mine = self.customer.id
        return [replace(s, is_own=s.subscription.customer == mine) for s in found if s is not None]


@dataclass(frozen=True, slots=True)
class Log:
    """The usage log as a snapshot has it."""

    seen: Snapshot
    meters: Mapping[str, Meter]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one snapshot brought: the generation of each row and what is reserved on it, and what was computed."""

    known: Mapping[Asked, tuple[int, Fraction]]
    people: Mapping[str, Circumstances]
    computed: Mapping[Asked, Computed]
    missing: tuple[Asked, ...] = ()


async def refresh(
    database: Database, environment: str, asked: Collection[Asked]
) -> dict[Asked, Found]:
    """Compute allowances anew, keep them where nothing has changed meanwhile, and announce those whose answer is another
    now. What comes back is true of a moment after the call, kept or not; nothing of features that there are not.
    Customers are by id.
    """
    seen = await _look(database, environment, asked)
    if seen.missing:
        async with database.transaction(environment) as connection:
            await place(connection, environment, [(e.customer, e.feature) for e in seen.missing])
        seen = await _look(database, environment, asked)
    found: dict[Asked, Found] = {}
    ordered = sorted(seen.computed)
    for first in range(0, len(ordered), KEPT_AT_ONCE):
        async with database.transaction(environment) as connection:
            for each in ordered[first : first + KEPT_AT_ONCE]:
                found[each] = await _keep(connection, environment, seen, each)
    return found


async def circumstances(connection: AsyncConnection, customer: str) -> Circumstances:
    """Those of a customer, by key or id. Raises `NotFound`."""
    row = await find_customer(connection, customer)
    at = datetime.now(UTC)
    if row.test_clock is not None:
        at = (await find_clock(connection, row.test_clock)).now
    living = list(await living_of(connection, row.id))
    if row.parent is not None:
        living += [s for s in await living_of(connection, row.parent) if s.pools_usage]
    lives = [(each, await _plan_of(connection, each)) for each in living]
    given = await overrides_of(connection, row.id)
    return Circumstances(row, at, lives, {o.feature: o.override(row.timezone) for o in given})


async def log_seen(connection: AsyncConnection) -> Log:
    """In a transaction that is REPEATABLE READ."""
    meters = {kept.meter.key: kept.meter for kept in await kept_meters(connection)}
    return Log(await snapshot_of(connection), meters)


async def log_until(connection: AsyncConnection, watermark: int) -> Log:
    """The log before a watermark, for good: so every transaction sees it that is younger."""
    meters = {kept.meter.key: kept.meter for kept in await kept_meters(connection)}
    return Log(all_before(watermark), meters)


async def compute(
    connection: AsyncConnection, person: Circumstances, feature: Feature, log: Log
) -> Computed:
    """What a customer may use of a feature. In a transaction that is REPEATABLE READ, unless the log is `log_until`'s."""
    override = person.overrides.get(feature.key)
    has = entitled(feature, person.standings(feature.key), override, person.at)
    uses: list[Use] = []
    counted: set[str] = set()
    tally: Tally | None = None
    for claim in has.claims:
        consumer = await _consumer(connection, person.customer, claim, log)
        counted.update((consumer.customer, *(child.customer for child in consumer.children)))
        meter = _meter_of(feature, log)
        if is_one_sum(meter, has.claims) and counted == {person.customer.id}:
            tally = await _tally(connection, claim, consumer, meter, log)
            uses.append(Use(tally.used))
        else:
            uses.append(await _use(connection, claim, consumer, feature, meter, log))
    result = allowance(feature, has, uses)
    return Computed(feature.type, result, tuple(sorted(counted)), log.seen, person.at, tally)


async def _look(database: Database, environment: str, asked: Collection[Asked]) -> _Seen:
    """All that was asked of features that there are, as one snapshot has it; nothing while some rows are missing."""
    async with database.transaction(environment, "REPEATABLE READ") as connection:
        entries = await find_keys(connection, "features", {each.feature for each in asked})
        features = {key: read_feature(entry.document) for key, entry in entries.items()}
        known = await generations(connection, asked)
        there = [each for each in asked if each.feature in features]
        if missing := tuple(each for each in there if each not in known):
            return _Seen(known, {}, {}, missing)
        people, computed = await _compute_all(connection, there, features)
    return _Seen(known, people, computed)


async def _compute_all(
    connection: AsyncConnection, asked: Iterable[Asked], features: Mapping[str, Feature]
) -> tuple[dict[str, Circumstances], dict[Asked, Computed]]:
    log = await log_seen(connection)
    people: dict[str, Circumstances] = {}
    computed: dict[Asked, Computed] = {}
    for each in asked:
        if each.customer not in people:
            people[each.customer] = await circumstances(connection, each.customer)
        person = people[each.customer]
        computed[each] = await compute(connection, person, features[each.feature], log)
    return people, computed


async def _keep(connection: AsyncConnection, environment: str, seen: _Seen, asked: Asked) -> Found:
    """What was computed, kept if it is still true."""
    customer, computed = seen.people[asked.customer].customer, seen.computed[asked]
    generation, reserved = seen.known[asked]
    return Found(
        id=customer.id,
        key=customer.key,
        generation=generation,
        is_fresh=await _is_kept(connection, environment, customer, asked, computed, generation),
        type=computed.type,
        allowance=computed.allowance,
        reserved=reserved,
    )


async def _is_kept(
    connection: AsyncConnection,
    environment: str,
    customer: CustomerRow,
    asked: Asked,
    computed: Computed,
    generation: int,
) -> bool:
    """Keep what was computed, if it is still true, and announce it where it is another answer; whether it was kept."""
    locked = await lock_allowance(connection, asked)
    if locked is None or locked.generation != generation:
        return False
    if locked.seen is not None and computed.seen.is_behind(locked.seen):
        return False
    on = Claimed("feature", asked.customer, asked.feature)
    left = await give_back_what_is_counted(connection, on, computed.seen)
    reserved = locked.reserved if left is None else left
    answer = answer_document(at_present(computed.allowance, reserved))
    await keep_allowance(connection, asked, computed, answer)
    if locked.announced is not None and differs(locked.announced, answer):
        body = {"customer": customer.key, "feature": asked.feature, "type": computed.type, **answer}
        await announce(connection, environment, TOPIC, customer.id, computed.at, body)
    return True


async def _plan_of(connection: AsyncConnection, subscription: Subscription) -> Plan:
    kept = await find_plan(connection, subscription.plan.key, subscription.plan.version)
    return read_plan(kept.document, kept.version)


async def _consumer(
    connection: AsyncConnection, customer: CustomerRow, claim: Claim, log: Log
) -> Consumer:
    if claim.subscription is None:
        return Consumer(customer.id, None, customer.timezone)
    return await consumer_of(connection, claim.subscription, log.seen.end)


def _meter_of(feature: Feature, log: Log) -> Meter:
    if feature.meter is None:
        raise Corrupt(f"the feature {feature.key} limits what nothing measures")
    return log.meters[feature.meter]


async def _tally(
    connection: AsyncConnection, claim: Claim, consumer: Consumer, meter: Meter, log: Log
) -> Tally:
    window = claim.windows.current
    measured = await measured_in(connection, consumer, meter, window, log.seen.end)
    return Tally(meter, window, consumer.subscription, measured)


async def _use(
    connection: AsyncConnection,
    claim: Claim,
    consumer: Consumer,
    feature: Feature,
    meter: Meter,
    log: Log,
) -> Use:
    """What was used in the windows of a claim."""
    before: Iterable[datetime] = ()
    if claim.subscription is not None and adds_up(meter):
        before = (await closings(connection, claim.subscription)).get(meter.key, ())
    needs = [
        Need(feature.key, meter.key, window, closings=closings_before(meter, before, window))
        for window in claim.measured
    ]
    used = await usage_for(connection, consumer, needs, log.meters, log.seen.end)
    return Use.of([total_quantity(used[need]) for need in needs])
