"""/v1/customers/…: what a customer has, buys and pays."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.credits import currency_for
from api.moments import now_for
from api.pages import Page
from api.paths import CurrencyQuery, InstantQuery, Named
from api.paying import NewTopUp, paid, topped_up, write_top_up
from api.schemas import billing as schemas
from api.schemas.documents import later_as
from db.balances import left_of_credit_notes, left_of_grants
from db.credits import find_grants
from db.customers import find_customer
from db.ledger import credit_movements
from domain.credits import GrantBalance
from domain.documents import balance_document, ledger_document
from domain.money import Money

router = APIRouter(prefix="/customers", route_class=ExactRoute)

ALL_GRANTS = 100_000


@router.get("/{customer:path}/balance", tags=["credits"], response_model=schemas.Balance, summary="Read a balance")  # fmt: skip
async def balance(
    customer: Named,
    caller: Reads,
    opened: Opened,
    at: InstantQuery = None,
    currency: CurrencyQuery = None,
) -> Response:
    """What a customer has: a function of the ledger's postings up to an instant, and that instant."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        moment = at or (await now_for(connection, row.test_clock)).at
        shown_in = await currency_for(connection, row, currency)
        given = await find_grants(connection, ALL_GRANTS, customer=row.id)
        left = await left_of_grants(connection, row.id, moment)
        notes = await left_of_credit_notes(connection, row.id, moment)
    grants = [
        GrantBalance(grant, Money(left[grant.id], grant.amount.currency))
        for grant in (each.balance.grant for each in given)
        if grant.id in left
    ]
    return answer(balance_document(moment, row.key, shown_in, grants, notes))


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


@router.post("/{customer:path}/top-ups", tags=["credits"], status_code=201, response_model=schemas.TopUpResult, responses=later_as(schemas.TopUpResult), summary="Top up")  # fmt: skip
async def top_up(customer: Named, body: NewTopUp, caller: Writes, opened: Opened) -> Response:
    """Have the customer pay for prepaid credit, and grant it. A decline makes the invoice void: nothing is granted."""
    asked = await write_top_up(opened, caller, customer, body)
    return await topped_up(opened, caller, asked)


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
