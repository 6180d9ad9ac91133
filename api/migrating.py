"""Deciding and asking what a migration of subscriptions between versions of a plan asks of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.choosing import Chosen, Known, choose, known_to, overridden, write_down
from api.moments import Now, time_to_act_on
from api.schemas.plan_migrations import Migrate
from db.plan_migrations import Candidate, PlanMigration, add_migration, known_migration, to_be_moved
from db.plans import PlanVersion, find_plan, lock_plan, next_version
from db.requests import Asked
from db.subscriptions import SubscriptionRow, ids_of
from domain import lifecycle
from domain.codec import to_plain
from domain.commands import ChangePlan, Request
from domain.errors import Conflict, Fault, Invalid, Rejected

MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Move:
    """Where one subscription is to go, and what it is asked for that."""

    to: Chosen
    command: ChangePlan


@dataclass(slots=True)
class Moving:
    """A migration to a version that is `sold`. `ids` are of those it is confined to, `number` is the next version's."""

    migration: PlanMigration
    version: PlanVersion
    sold: Chosen
    known: Known
    ids: Sequence[str] | None
    number: int
    times: dict[str, Now] = field(default_factory=dict)

    async def concerned(
        self, connection: AsyncConnection, limit: int, after: str = ""
    ) -> Sequence[Candidate]:
        key = self.version.key
        return await to_be_moved(connection, self.migration, key, limit, self.ids, after)

    def move(self, candidate: Candidate) -> Move:
        """Raises `Invalid` where a subscription's overrides do not fit the new version, and `Conflict` where others are
        to come.
        """
        row = candidate.row
        if candidate.is_to_override:
            raise Conflict(f"{row.state.key} has other overrides from the period's end on")
        if not row.overrides:
            return self.to(self.sold, row)
        return self.to(overridden(self.version, row.overrides, self.known, self.number), row)

    def to(self, chosen: Chosen, row: SubscriptionRow) -> Move:
        effective = self.migration.effective
        return Move(chosen, ChangePlan(chosen.plan.ref, effective, if_on=row.state.plan))

    async def now(self, connection: AsyncConnection, clock: str | None) -> Now:
        """What time it is there, and stays until this is asked. Raises `Conflict` for a clock on its way."""
        if clock is None:
            return await time_to_act_on(connection, None)
        if clock not in self.times:
            self.times[clock] = await time_to_act_on(connection, clock, hold=True)
        return self.times[clock]


async def read_migration(
    connection: AsyncConnection, caller: Caller, plan: str, body: Migrate
) -> Moving:
    """What a body asks for. Raises `NotFound` and `Invalid` for versions and subscriptions that are not there."""
    version = await find_plan(connection, plan, body.to)
    _require_for_sale(version, "to")
    if body.from_version is not None:
        _require_for_sale(await find_plan(connection, version.key, body.from_version), "from")
        if body.from_version == version.version:
            raise Invalid.at("from", "is the version to move to")
    migration = PlanMigration(
        caller.id_for("mig"),
        version.id,
        body.from_version,
        version.version,
        body.effective,
        caller.name,
        body.reason,
    )
    sold = await choose(connection, version, None)
    return Moving(
        migration,
        version,
        sold,
        known=await known_to(connection, sold.plan),
        ids=await _ids(connection, body.subscriptions),
        number=await next_version(connection, version.id),
    )


async def migrate(
    connection: AsyncConnection, environment: str, moving: Moving, after: str = ""
) -> PlanMigration:
    """Write down what is asked of whom, a request each, in this transaction; once for its id. The relay sends them. The
    first are those whose ids come `after` another.
    """
    migration, version = moving.migration, moving.version
    await lock_plan(connection, environment, version.id, version.key)
    if known := await known_migration(connection, version.id, migration.id):
        return known
    rows = await moving.concerned(connection, MOST_AT_ONCE + 1, after)
    asked = [await _asked(connection, environment, moving, each) for each in rows[:MOST_AT_ONCE]]
    whole = replace(migration, is_whole=len(rows) <= MOST_AT_ONCE)
    await add_migration(connection, environment, whole, asked)
    return await _found(connection, whole)


async def _asked(
    connection: AsyncConnection, environment: str, moving: Moving, candidate: Candidate
) -> Asked:
    """What a subscription is asked; what the rules refuse already is written down as refused."""
    migration, row, living = moving.migration, candidate.row, candidate.row.state
    name = f"{migration.id}:{living.id}"
    request = Request(name, moving.to(moving.sold, row).command, migration.actor, migration.reason)
    refused = None
    try:
        now = await moving.now(connection, living.test_clock)
        move = moving.move(candidate)
        lifecycle.check(living, move.command, now.at)
        chosen = await write_down(connection, environment, move.to, living.id, name)
        request = replace(request, command=moving.to(chosen, row).command, at=now.on_clock)
    except Rejected as refusal:
        refused = {"code": refusal.code, "message": str(refusal)}
    return Asked(
        id=name,
        kind="command",
        customer=living.customer,
        subscription=living.id,
        body=to_plain(request),
        actor=migration.actor,
        reason=migration.reason,
        status="asked" if refused is None else "refused",
        answer=refused,
    )


async def _found(connection: AsyncConnection, migration: PlanMigration) -> PlanMigration:
    """As it is kept."""
    found = await known_migration(connection, migration.plan, migration.id)
    assert found is not None
    return found


def _require_for_sale(version: PlanVersion, path: str) -> None:
    if version.own is not None:
        number, key = version.version, version.key
        raise Invalid.at(path, f"version {number} of {key} is the own one of a subscription")


async def _ids(connection: AsyncConnection, names: Sequence[str] | None) -> Sequence[str] | None:
    if names is None:
        return None
    known = await ids_of(connection, names)
    missing = [index for index, name in enumerate(names) if name not in known]
    if missing:
        raise Invalid(
            Fault(f"subscriptions.{index}", f"there is no subscription {names[index]}")
            for index in missing
        )
    return list(known.values())
