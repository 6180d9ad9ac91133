"""What bodies name: customers and coupons that must be there. Each raises `NotFound` where it is not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.choosing import Chosen, choose, version_for_sale, write_down
from api.moments import time_to_act
from api.schemas.changing import Transfer
from api.schemas.subscriptions import NewPhase, NewSubscription, phases_of
from db.catalog import find
from db.customers import CustomerRow, find_customer
from db.redemptions import require_redeemable
from db.subscriptions import find_subscription
from domain import commands, lifecycle
from domain.catalog import read_coupon
from domain.commands import Command
from domain.customers import Coupon, Customer
from domain.errors import Conflict, NotFound
from domain.phases import Phase, check_plans, scheduled
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription that a body asks for, with the versions that its phases are on, the first one first."""

    subscription: Subscription
    chosen: tuple[Chosen, ...]


async def new_subscription(
    connection: AsyncConnection, caller: Caller, body: NewSubscription
) -> Wanted:
    """The subscription that a body asks for, and the versions it is to be on: written down, where they are its own, unless
    this is a preview. Raises `Invalid` and `Conflict`, for a taken key say, before anything is written.
    """
    row = await find_customer(connection, body.customer)
    now = await time_to_act(connection, row)
    chosen = _apart([await _choose(connection, phase) for phase in phases_of(body)])
    wanted = Wanted(await _wanted(connection, caller, body, row, now.at, chosen), tuple(chosen))
    if body.preview:
        return wanted
    own_id = wanted.subscription.id
    await _require_free(connection, own_id, wanted.subscription.key)
    for number, each in enumerate(chosen):
        name = f"{own_id}:{number}" if number else own_id
        chosen[number] = await write_down(connection, caller.environment, each, own_id, name)
    return Wanted(_on(wanted.subscription, body, chosen), tuple(chosen))


async def transfer_to(
    connection: AsyncConnection, caller: Caller, subscription: str, body: Transfer
) -> Command:
    """Raises `Conflict` for a taken key, and for a customer who lives by another clock."""
    customer = await find_customer(connection, body.customer)
    living = (await find_subscription(connection, subscription)).state
    if customer.test_clock != living.test_clock:
        raise Conflict(f"{customer.key} lives by another clock than {living.key}")
    id = caller.id_for("sub")
    key = body.key or id
    await _require_free(connection, id, key)
    return commands.Transfer(id, customer.id, key, body.unused, *_payer(customer))


def _payer(customer: CustomerRow) -> tuple[str | None, str | None]:
    """Who pays for a customer, and for whom that is told to be, where it is another."""
    return customer.payer, customer.key if customer.payer else None


async def key_of_coupon(connection: AsyncConnection, name: str) -> str:
    """Of one that is told by its key or id; what is neither is left as it is: nobody has it."""
    try:
        return (await find(connection, "coupons", name)).key
    except NotFound:
        return name


async def find_coupon(connection: AsyncConnection, name: str) -> Coupon:
    """By key or id. Raises `Conflict` for one that is archived."""
    found = await find(connection, "coupons", name)
    if found.archived_at is not None:
        raise Conflict(f"the coupon {found.key} is archived")
    return read_coupon(found.document)


async def _wanted(
    connection: AsyncConnection,
    caller: Caller,
    body: NewSubscription,
    row: CustomerRow,
    now: datetime,
    chosen: Sequence[Chosen],
) -> Subscription:
    own_id = caller.id_for("sub")
    at = body.starts_at or now
    begun = lifecycle.new_subscription(
        id=own_id,
        key=body.key or own_id,
        customer=_subscribing(row),
        plan=chosen[0].plan,
        at=at,
        quantities=phases_of(body)[0].quantities,
        coupons=[await find_coupon(connection, key) for key in body.coupons],
        environment=caller.environment,
        trial_end=at if body.is_without_trial else body.trial_end,
        now=now,
        pools_usage=body.pools_usage,
    )
    await require_redeemable(connection, begun, now)
    return _on(begun, body, chosen)


def _subscribing(row: CustomerRow) -> Customer:
    return Customer(
        row.id,
        row.key,
        row.timezone,
        test_clock=row.test_clock,
        parent=row.parent,
        billing=row.billing,
    )


def _on(
    subscription: Subscription, body: NewSubscription, chosen: Sequence[Chosen]
) -> Subscription:
    """On these versions of plans, one phase after the other. Raises `Invalid` for an end that is told twice, or not after
    the start, and for a phase that could not begin.
    """
    phases = [
        Phase(each.plan.ref, asked.periods, asked.quantities)
        for each, asked in zip(chosen, phases_of(body), strict=True)
    ]
    check_plans([each.plan for each in chosen], phases)
    schedule = scheduled(phases, subscription.started_at, body.ends_at)
    return replace(subscription, plan=phases[0].plan, schedule=schedule)


async def _choose(connection: AsyncConnection, asked: NewPhase) -> Chosen:
    version = await version_for_sale(connection, asked.plan, asked.version)
    return await choose(connection, version, asked.overrides)


def _apart(chosen: Sequence[Chosen]) -> list[Chosen]:
    """Versions that are yet to be written down get a number each, in their order."""
    told: list[Chosen] = []
    for each in chosen:
        before = sum(other.plan_id == each.plan_id and other.unwritten != () for other in told)
        if each.unwritten:
            each = replace(each, plan=replace(each.plan, version=each.plan.version + before))
        told.append(each)
    return told


async def _require_free(connection: AsyncConnection, id: str, key: str) -> None:
    """A repeat finds the key taken by itself, which is no conflict."""
    try:
        found = (await find_subscription(connection, key)).state
    except NotFound:
        return
    if found.key == key and found.id != id:
        raise Conflict(f"there is a subscription {key} already")
