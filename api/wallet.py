"""/v1/customers/…: what a customer has, buys and pays."""

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api import paying
from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.credits import currency_for
from api.moments import now_for
from api.pages import Page
from api.paths import CurrencyQuery, InstantQuery, KnownAtQuery, Named
from api.paying import TOPPED_UP, NewTopUp, paid
from api.schemas import billing as schemas
from api.schemas.documents import later_as
from db.balances import known_up_to, left_of_credit_notes, left_of_grants
from db.credits import find_grants
from db.customers import CustomerRow, find_customer
from db.ledger import credit_movements
from db.wallets import time_of, wallets_of
from domain.balances import Look, look
from domain.credits import GrantBalance
from domain.documents import balance_document, ledger_document, units_left
from domain.money import Money
from domain.reading import written
from domain.wallets import wallet_document

router = APIRouter(prefix="/customers", route_class=ExactRoute)

ALL_GRANTS = 100_000


@router.get("/{customer:path}/balance", tags=["credits"], response_model=schemas.Balance, summary="Read a balance")  # fmt: skip
async def balance(
    customer: Named,
    caller: Reads,
    opened: Opened,
    at: InstantQuery = None,
    known_at: KnownAtQuery = None,
    currency: CurrencyQuery = None,
) -> Response:
    """What a customer has: a function of the ledger's postings up to an instant, and that instant. With `known_at`, of
    those alone that had been recorded by then; `at` is then the same instant, if not given.
    """
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        asked = await _look(connection, row, at, known_at)
        shown_in = await currency_for(connection, row, currency)
        given = await find_grants(connection, ALL_GRANTS, customer=row.id)
        left = await left_of_grants(connection, row.id, asked)
        notes = await left_of_credit_notes(connection, row.id, asked)
    grants = [
        GrantBalance(grant, Money(left[grant.id], grant.amount.currency))
        for grant in (each.balance.grant for each in given)
        if grant.id in left
    ]
    told = balance_document(asked.at, row.key, shown_in, grants, notes)
    units = units_left(asked.at, shown_in, grants)
    known = asked.known_at and written(asked.known_at)
    return answer({**told, "units": units, "known_at": known})


@router.get("/{customer:path}/wallets", tags=["credits"], response_model=schemas.Wallets, summary="Read the wallets")  # fmt: skip
async def wallets(customer: Named, caller: Reads, opened: Opened) -> Response:
    """What there is right now, usage that is not invoiced yet and holds taken off: about a second behind the events."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        at = await time_of(connection, row.id)
        found = await wallets_of(connection, caller.environment, row.id)
    shown = [wallet_document(each.wallet) for each in found]
    return answer({"at": written(at), "customer": row.key, "data": shown})


@router.get("/{customer:path}/ledger", tags=["credits"], response_model=schemas.LedgerPage, summary="Read the ledger")  # fmt: skip
async def ledger(customer: Named, page: Page, caller: Reads, opened: Opened) -> Response:
    """Every movement of the customer's credits, in the order of posting."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        found = await credit_movements(connection, row.id, page.fetch, page.after_number)
    return answer(
        page.page(
            found,
            lambda each: ledger_document(each.at, each.movement, each.grant_key, each.amount),
            lambda each: str(each.seq),
        )
    )


@router.post("/{customer:path}/top-ups", tags=["credits"], status_code=201, response_model=schemas.TopUpResult, responses=TOPPED_UP, summary="Top up")  # fmt: skip
async def top_up(customer: Named, body: NewTopUp, caller: Writes, opened: Opened) -> Response:
    """Have the customer pay for prepaid credit, and grant it. A decline makes the invoice void: nothing is granted."""
    return await paying.top_up(opened, caller, customer, body)


@router.post("/{customer:path}/payment-methods", tags=["payments"], status_code=201, response_model=schemas.Paid, responses=later_as(schemas.Paid), summary="Attach a payment method")  # fmt: skip
async def attach(
    customer: Named, body: schemas.NewPaymentMethod, caller: Writes, opened: Opened
) -> Response:
    """Charge this method from now on, and what is unpaid at once, the oldest invoice first."""
    return await paid(opened, caller, customer, payment_method=body.payment_method, status=201)


@router.post("/{customer:path}/pay", tags=["payments"], response_model=schemas.Paid, responses=later_as(schemas.Paid), summary="Pay what is open")  # fmt: skip
async def pay(customer: Named, body: schemas.Asks, caller: Writes, opened: Opened) -> Response:
    """Attempt every unpaid invoice at once, the oldest first."""
    return await paid(opened, caller, customer, reason=body.reason)


async def _look(
    connection: AsyncConnection, row: CustomerRow, at: datetime | None, known_at: datetime | None
) -> Look:
    if known_at is None:
        return look(at, None, (await now_for(connection, row.test_clock)).at)
    return look(at, known_at, await known_up_to(connection, row.id))
