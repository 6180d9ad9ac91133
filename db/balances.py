"""What a customer has at an instant: the sums of the postings up to then."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ledger import credit_note_balance
from domain.money import Money

_GRANTS = text("""
    SELECT g.id, -sum(p.amount_minor) FROM credit_grants g
    JOIN ledger_postings p ON p.environment_id = g.environment_id AND p.account = 'credits:' || g.id
    JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
    WHERE g.customer_id = :customer AND t.at <= :at GROUP BY g.id
""")
_CREDIT_NOTES = text("""
    SELECT -sum(p.amount_minor), p.currency FROM ledger_postings p
    JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
    WHERE p.account = :account AND t.at <= :at GROUP BY p.currency
""")
_USUAL = text("""
    SELECT currency FROM (
        SELECT state ->> 'currency' AS currency, seq FROM subscriptions WHERE customer_id = :customer
        UNION ALL
        SELECT currency, seq FROM credit_grants WHERE customer_id = :customer
    ) AS used ORDER BY seq DESC LIMIT 1
""")


async def left_of_grants(
    connection: AsyncConnection, customer: str, at: datetime
) -> Mapping[str, int]:
    """What postings up to `at` left of each grant that there was, in minor units, by the grant's id."""
    rows = await connection.execute(_GRANTS, {"customer": customer, "at": at})
    return {grant: int(left) for grant, left in rows}


async def left_of_credit_notes(
    connection: AsyncConnection, customer: str, at: datetime
) -> Sequence[Money]:
    """What postings up to `at` left of the customer's credit notes, in each currency."""
    asked = {"account": credit_note_balance(customer), "at": at}
    rows = await connection.execute(_CREDIT_NOTES, asked)
    return [Money(int(left), currency) for left, currency in rows]


async def usual_currency(connection: AsyncConnection, customer: str) -> str | None:
    """The one of the newest subscription or grant; None for who has neither."""
    row = (await connection.execute(_USUAL, {"customer": customer})).one_or_none()
    return None if row is None else str(row.currency)
