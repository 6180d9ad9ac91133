"""What bodies name: customers, plans and coupons that must be there. Each raises `NotFound` where it is not."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.moments import time_to_act
from api.schemas.subscriptions import NewSubscription
from db.catalog import find_keys
from db.customers import find_customer
from db.plans import find_plan
from domain import lifecycle
from domain.catalog import read_coupon, read_plan
from domain.customers import Coupon, Customer
from domain.errors import Conflict, Invalid, NotFound
from domain.plans import Plan
from domain.reading import written
from domain.subscription import Subscription


async def new_subscription(
    connection: AsyncConnection, caller: Caller, body: NewSubscription
) -> Subscription:
    """The subscription that a body asks for. Raises `Invalid` for a start that is past."""
    row = await find_customer(connection, body.customer)
    now = await time_to_act(connection, row)
    if body.starts_at is not None and body.starts_at < now.at:
        raise Invalid.at("starts_at", f"must not be before now, which is {written(now.at)}")
    own_id = caller.id_for("sub")
    return lifecycle.new_subscription(
        id=own_id,
        key=body.key or own_id,
        customer=Customer(row.id, row.key, row.timezone, test_clock=row.test_clock),
        plan=await plan_for_sale(connection, body.plan),
        at=body.starts_at or now.at,
        quantities=body.quantities,
        coupons=[await _coupon(connection, key) for key in body.coupons],
        environment=caller.environment,
    )


async def plan_for_sale(connection: AsyncConnection, name: str) -> Plan:
    """The newest version of a plan. Raises `Conflict` where it is archived."""
    found = await find_plan(connection, name)
    if found.archived_at is not None:
        raise Conflict(f"the plan {found.key} is archived")
    return read_plan(found.document, found.version)


async def _coupon(connection: AsyncConnection, key: str) -> Coupon:
    found = (await find_keys(connection, "coupons", [key])).get(key)
    if found is None:
        raise NotFound(f"there is no coupon {key}")
    if found.archived_at is not None:
        raise Conflict(f"the coupon {key} is archived")
    return read_coupon(found.document)
