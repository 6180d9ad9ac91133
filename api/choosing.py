"""Which version of a plan somebody is to be on: one for sale, or one that overrides make their own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from api.schemas.catalog import PLAN
from api.schemas.documents import with_text_decimals
from db.catalog import find_keys
from db.meters import kept_meters
from db.plans import Own, PlanVersion, add_own_version, find_plan, lock_plan, next_version
from domain.catalog import read_plan, require_known
from domain.errors import Conflict
from domain.features import read_feature
from domain.metering.meter import Meter
from domain.overrides import as_written, own_plan
from domain.plans import Feature, Plan

Overrides = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version to be on. With `document` it is yet to be written down, and its number a guess."""

    plan: Plan
    plan_id: str
    based_on: int
    overrides: Overrides | None = None
    document: Mapping[str, object] | None = None

    @property
    def unwritten(self) -> tuple[Plan, ...]:
        return () if self.document is None else (self.plan,)


@dataclass(frozen=True, slots=True)
class Known:
    """The meters, and those features that a plan names."""

    meters: Mapping[str, Meter]
    features: Mapping[str, Feature]


async def version_for_sale(
    connection: AsyncConnection, name: str, version: int | None = None
) -> PlanVersion:
    """That version of a plan, or the newest one. Raises `Conflict` where the plan is archived, or the version one
    subscription's own.
    """
    found = await find_plan(connection, name, version)
    if found.archived_at is not None:
        raise Conflict(f"the plan {found.key} is archived")
    if found.own is not None:
        raise Conflict(f"version {found.version} of {found.key} is the own one of a subscription")
    return found


async def choose(
    connection: AsyncConnection, version: PlanVersion, overrides: Overrides | None
) -> Chosen:
    """A version, with overrides where there are any. Raises `Invalid`, with paths in the overrides, where the plan does
    not take them.
    """
    plan = read_plan(version.document, version.version)
    if not overrides:
        return Chosen(plan, version.id, version.version)
    known = await known_to(connection, plan)
    return overridden(version, overrides, known, await next_version(connection, version.id))


def overridden(version: PlanVersion, overrides: Overrides, known: Known, number: int) -> Chosen:
    """A version with overrides in it, yet to be written down. Raises as `choose` does."""

    def read(document: object) -> Plan:
        plan = read_plan(document, number)
        require_known(plan, known.meters, known.features)
        return plan

    own = own_plan(version.document, overrides, read)
    document = with_text_decimals(PLAN, own.document)
    told = as_written(overrides, document)
    return Chosen(own.plan, version.id, version.version, told, document)


async def write_down(
    connection: AsyncConnection, environment: str, chosen: Chosen, subscription: str, name: str
) -> Chosen:
    """Keep a version that is one subscription's own, once under its business name."""
    if chosen.document is None or chosen.overrides is None:
        return chosen
    await lock_plan(connection, environment, chosen.plan_id, chosen.plan.key)
    own = Own(subscription, chosen.based_on, chosen.overrides)
    number = await add_own_version(
        connection, environment, chosen.plan_id, chosen.document, own, name
    )
    return replace(chosen, plan=replace(chosen.plan, version=number), document=None)


async def known_to(connection: AsyncConnection, plan: Plan) -> Known:
    meters = {kept.meter.key: kept.meter for kept in await kept_meters(connection)}
    named = {entitlement.feature for entitlement in plan.entitlements}
    return Known(meters, await features_named(connection, named))


async def features_named(
    connection: AsyncConnection, keys: Collection[str]
) -> Mapping[str, Feature]:
    """Those of these features that there are."""
    found = await find_keys(connection, "features", keys)
    return {key: read_feature(entry.document) for key, entry in found.items()}
