"""/v1/customers: who is billed."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.families import be_born, lock_with_parent, move
from api.pages import Page
from api.paths import Named, NamedQuery
from api.schemas import customers as schemas
from db.catalog import find_keys
from db.clocks import find_clock
from db.customers import (
    CustomerFacts,
    CustomerRow,
    add_customer,
    change_customer,
    find_customer,
    find_customers,
)
from db.running import mark_payer
from domain.errors import Fault, Invalid, NotFound
from domain.reading import written

FAMILY = ("parent", "billing")

router = APIRouter(prefix="/customers", tags=["customers"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=schemas.Customer, summary="Make a customer")
async def create(body: schemas.NewCustomer, caller: Writes, opened: Opened) -> Response:
    own_id = caller.id_for("cus")
    given = body.model_dump(exclude={"key", *FAMILY})
    if body.test_clock is not None and caller.key.mode == "live":
        raise Invalid.at("test_clock", "is for test environments")
    async with opened.database.transaction(caller.environment) as connection:
        await _require_tax_rates(connection, given)
        if body.test_clock is not None:
            await _require_clock(connection, body.test_clock)
        facts = CustomerFacts(**given)
        made = await add_customer(connection, caller.environment, own_id, body.key or own_id, facts)
        await be_born(connection, caller, made, body.parent, body.billing)
        made = await find_customer(connection, own_id)
    return answer(document(made), 201)


@router.get("", response_model=schemas.CustomerPage, summary="List customers")
async def find_all(
    page: Page, caller: Reads, opened: Opened, parent: NamedQuery = None
) -> Response:
    """Oldest first; with `parent`, those that belong to it."""
    async with opened.database.transaction(caller.environment) as connection:
        of = None if parent is None else (await find_customer(connection, parent)).id
        found = await find_customers(connection, page.fetch, page.after, of)
    return answer(page.page(found, document, lambda customer: customer.id))


@router.get("/{customer:path}", response_model=schemas.Customer, summary="Read a customer")
async def find(customer: Named, caller: Reads, opened: Opened) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await find_customer(connection, customer)))


@router.patch("/{customer:path}", response_model=schemas.Customer, summary="Change a customer")
async def change(
    customer: Named, body: schemas.CustomerChanges, caller: Writes, opened: Opened
) -> Response:
    """Invoices that were issued stay as they are; the next ones go by what is said now. What would change who pays for
    a subscription that is not over is refused.
    """
    given = body.model_dump(exclude_unset=True)
    async with opened.database.transaction(caller.environment) as connection:
        kept = await lock_with_parent(connection, customer, given)
        await _require_tax_rates(connection, given, kept.tax_rates)
        await move(connection, caller, kept, given)
        facts = {name: said for name, said in given.items() if name not in FAMILY}
        changed = await change_customer(connection, kept.id, replace(_facts(kept), **facts))
        await mark_payer(connection, kept.id)
    return answer(document(changed))


def document(customer: CustomerRow) -> dict[str, object]:
    return {
        "id": customer.id,
        "key": customer.key,
        "name": customer.name,
        "email": customer.email,
        "timezone": customer.timezone,
        "tax_rates": list(customer.tax_rates),
        "test_clock": customer.test_clock,
        "parent": customer.parent_key,
        "billing": customer.billing,
        "payment_method": customer.payment_method,
        "metadata": customer.metadata,
        "created_at": written(customer.created_at),
    }


def _facts(customer: CustomerRow) -> CustomerFacts:
    return CustomerFacts(
        name=customer.name,
        email=customer.email,
        timezone=customer.timezone,
        tax_rates=customer.tax_rates,
        test_clock=customer.test_clock,
        metadata=customer.metadata,
    )


async def _require_tax_rates(
    connection: AsyncConnection, given: Mapping[str, Any], kept: Collection[str] = ()
) -> None:
    """Raise `Invalid` for tax rates that are not there, or archived and not `kept` from before."""
    wanted: tuple[str, ...] = given.get("tax_rates", ())
    known = await find_keys(connection, "tax_rates", wanted)
    usable = {key for key, rate in known.items() if key in kept or rate.archived_at is None}
    faults = [
        Fault(f"tax_rates.{index}", f"there is no tax rate {key}")
        for index, key in enumerate(wanted)
        if key not in usable
    ]
    if faults:
        raise Invalid(faults)


async def _require_clock(connection: AsyncConnection, clock: str) -> None:
    try:
        await find_clock(connection, clock)
    except NotFound as missing:
        raise Invalid.at("test_clock", str(missing)) from None
