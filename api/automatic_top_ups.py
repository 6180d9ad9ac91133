"""/v1/customers/…/automatic-top-ups: credit that is bought by itself where little is left."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.credits import currency_for
from api.pages import Page
from api.paths import Named
from api.schemas import automatic_top_ups as schemas
from api.schemas.documents import Raw, shown_as, with_text_decimals
from db.automatic_top_ups import (
    AttemptRow,
    AutomaticTopUpRow,
    add_automatic_top_up,
    automatic_top_ups_of,
    find_automatic_top_up,
    list_attempts,
    remove_automatic_top_up,
)
from db.balances import pays_in
from db.customers import CustomerRow, find_customer
from db.locks import lock_customer
from db.running_facts import Payer
from db.wallets import open_wallet
from domain.automatic_top_ups import new_automatic_top_up, read_automatic_top_up
from domain.credits import check_payable
from domain.documents import Document
from domain.reading import LONGEST_KEY, written

router = APIRouter(prefix="/customers", tags=["credits"], route_class=ExactRoute)

LAST = 2**62  # more than any purchase's number
RULES = "/{customer:path}/automatic-top-ups"

Rule = Annotated[
    str, Path(description="Its id or its currency.", max_length=LONGEST_KEY, examples=["USD"])
]
NewAutomaticTopUp = Annotated[
    Raw,
    shown_as(
        schemas.AUTOMATIC_TOP_UP, "New automatic top-up", schemas.AUTOMATIC_TOP_UP_EXAMPLE
    ),
]  # fmt: skip


@router.post(RULES, status_code=201, response_model=schemas.AutomaticTopUp, summary="Top up automatically")  # fmt: skip
async def create(
    customer: Named, body: NewAutomaticTopUp, caller: Writes, opened: Opened
) -> Response:
    """From now on, buy credit where less than the threshold is available: one purchase at a time. One a currency."""
    order = read_automatic_top_up(with_text_decimals(schemas.AUTOMATIC_TOP_UP, body))
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        currency = await currency_for(connection, row, order.currency)
        check_payable(currency, await pays_in(connection, row.id))
        rule = new_automatic_top_up(order, currency)
        await lock_customer(connection, row.id)
        await open_wallet(connection, caller.environment, row.id, currency)
        own_id = caller.id_for("atu")
        kept = await add_automatic_top_up(connection, caller.environment, own_id, row.id, rule)
        return answer(await _document(connection, row, kept), 201)


@router.get(RULES, response_model=schemas.AutomaticTopUps, summary="List automatic top-ups")
async def read_all(customer: Named, caller: Reads, opened: Opened) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        kept = await automatic_top_ups_of(connection, row.id)
        return answer({"data": [await _document(connection, row, each) for each in kept]})


@router.get(RULES + "/{rule}/attempts", response_model=schemas.AttemptPage, summary="List what was bought by itself")  # fmt: skip
async def read_attempts(
    customer: Named, rule: Rule, page: Page, caller: Reads, opened: Opened
) -> Response:
    """Newest first, with why those were declined that were."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        payer = await _payer(connection, row, rule)
        before = page.after_number or LAST
        found = await list_attempts(connection, payer, page.fetch, before)
    return answer(page.page(found, _attempt, lambda each: str(each.number)))


@router.get(RULES + "/{rule}", response_model=schemas.AutomaticTopUp, summary="Read an automatic top-up")  # fmt: skip
async def find(customer: Named, rule: Rule, caller: Reads, opened: Opened) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        kept = await find_automatic_top_up(connection, row.id, rule)
        return answer(await _document(connection, row, kept))


@router.delete(RULES + "/{rule}", response_model=schemas.AutomaticTopUp, summary="Top up automatically no more")  # fmt: skip
async def remove(customer: Named, rule: Rule, caller: Writes, opened: Opened) -> Response:
    """A purchase that is under way goes on. Answers with the rule as it was."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        await lock_customer(connection, row.id)
        kept = await find_automatic_top_up(connection, row.id, rule)
        await remove_automatic_top_up(connection, kept.id)
        return answer(await _document(connection, row, kept))


async def _payer(connection: AsyncConnection, customer: CustomerRow, rule: str) -> Payer:
    kept = await find_automatic_top_up(connection, customer.id, rule)
    return Payer(customer.id, kept.rule.currency)


async def _document(
    connection: AsyncConnection, customer: CustomerRow, kept: AutomaticTopUpRow
) -> Document:
    rule, payer = kept.rule, Payer(customer.id, kept.rule.currency)
    last = await list_attempts(connection, payer, 1, LAST)
    return {
        "id": kept.id,
        "customer": customer.key,
        "currency": rule.currency,
        "threshold": str(rule.threshold),
        "target": rule.target and str(rule.target),
        "amount": rule.amount and str(rule.amount),
        "monthly_cap": rule.monthly_cap and str(rule.monthly_cap),
        "cool_down": rule.cool_down.days * 86_400 + rule.cool_down.seconds,
        "last_attempt": _attempt(last[0]) if last else None,
        "created_at": written(kept.created_at),
    }


def _attempt(row: AttemptRow) -> Document:
    made = row.attempt
    return {
        "number": row.number,
        "request": row.request,
        "amount": str(made.amount),
        "status": made.status,
        "failure_code": row.failure_code,
        "invoice": row.invoice,
        "at": written(made.at),
        "ended_at": made.ended_at and written(made.ended_at),
    }
