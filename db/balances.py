"""What a customer has at an instant: the sums that `domain.balances` says, of rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.locks import await_customer
from db.wallets import time_of
from domain.balances import Look
from domain.ledger import credit_note_balance
from domain.money import Money

_SEEN = "t.at <= :at AND t.recorded_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')"
_GRANTS = text(f"""
    SELECT g.id, -sum(p.amount_minor) FROM credit_grants g
    JOIN ledger_postings p ON p.environment_id = g.environment_id AND p.account = 'credits:' || g.id
    JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
    WHERE g.customer_id = :customer AND {_SEEN} GROUP BY g.id
""")
_CREDIT_NOTES = text(f"""
    SELECT -sum(p.amount_minor), p.currency FROM ledger_postings p
    JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
    WHERE p.account = :account AND {_SEEN} GROUP BY p.currency
""")
_USUAL = text("""
    SELECT currency FROM (
        SELECT state ->> 'currency' AS currency, seq FROM subscriptions WHERE customer_id = :customer
        UNION ALL
        SELECT currency, seq FROM credit_grants WHERE customer_id = :customer
    ) AS used ORDER BY seq DESC LIMIT 1
""")
_PAYS_IN = text("""
    SELECT state ->> 'currency' AS currency FROM subscriptions
    WHERE customer_id = :customer AND status <> 'cancelled'
    UNION
    SELECT s.state ->> 'currency' FROM memberships m
    JOIN subscriptions s ON s.environment_id = m.environment_id AND s.customer_id = m.child_id
    WHERE m.parent_id = :customer AND s.state ->> 'payer' = :customer AND s.status <> 'cancelled'
    UNION
    SELECT currency FROM credit_grants WHERE customer_id = :customer
""")


async def left_of_grants(
    connection: AsyncConnection, customer: str, look: Look
) -> Mapping[str, int]:
    """What is left of each grant that there was, in minor units, by the grant's id."""
    asked = {"customer": customer, "at": look.at, "known_at": look.known_at}
    return {grant: int(left) for grant, left in await connection.execute(_GRANTS, asked)}


async def left_of_credit_notes(
    connection: AsyncConnection, customer: str, look: Look
) -> Sequence[Money]:
    """What is left of the customer's credit notes, in each currency."""
    account = credit_note_balance(customer)
    asked = {"account": account, "at": look.at, "known_at": look.known_at}
    rows = await connection.execute(_CREDIT_NOTES, asked)
    return [Money(int(left), currency) for left, currency in rows]


async def known_up_to(connection: AsyncConnection, customer: str) -> datetime:
    """Now, by the clock that the customer's postings are recorded by; what was recorded before has been written when this
    returns, so what was known by then stays as it is. (A test clock stands still: more may be recorded at what it shows.)
    """
    await await_customer(connection, customer)
    return await time_of(connection, customer)


async def usual_currency(connection: AsyncConnection, customer: str) -> str | None:
    """The one of the newest subscription or grant; None for who has neither."""
    row = (await connection.execute(_USUAL, {"customer": customer})).one_or_none()
    return None if row is None else str(row.currency)


async def pays_in(connection: AsyncConnection, customer: str) -> frozenset[str]:
    """The currencies of the subscriptions that live and that a customer has or pays for, and of its grants."""
    return frozenset((await connection.execute(_PAYS_IN, {"customer": customer})).scalars())
