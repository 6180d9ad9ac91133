"""The ledger: transactions that sum to zero, each once under its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ledger import Movement, Posting, Transaction
from domain.money import Money


@dataclass(frozen=True, slots=True)
class CreditMovement:
    """What one transaction did to a grant: `amount` is what it then had more (or less) left."""

    seq: int
    movement: Movement
    at: datetime
    grant: str
    grant_key: str
    amount: Money


_ADD = text("""
    INSERT INTO ledger_transactions (environment_id, name, movement, at, customer_id)
    VALUES (:environment, :name, :movement, :at, :customer)
    ON CONFLICT (environment_id, name) DO NOTHING RETURNING id
""")
_ADD_POSTINGS = text("""
    INSERT INTO ledger_postings
        (environment_id, transaction_id, position, account, amount_minor, currency)
    VALUES (:environment, :transaction, :position, :account, :amount, :currency)
""")
_MOVEMENTS = text("""
    SELECT t.id, t.movement, t.at, g.id, g.key, -p.amount_minor, p.currency
    FROM credit_grants g
    JOIN ledger_postings p ON p.environment_id = g.environment_id AND p.account = 'credits:' || g.id
    JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
    WHERE (CAST(:customer AS text) IS NULL OR g.customer_id = :customer) AND t.id > :after
    ORDER BY t.id LIMIT :limit
""")
_TRANSACTIONS = text("""
    SELECT t.name, t.movement, t.at, p.account, p.amount_minor, p.currency
    FROM ledger_transactions t
    JOIN ledger_postings p ON p.environment_id = t.environment_id AND p.transaction_id = t.id
    WHERE CAST(:customer AS text) IS NULL OR t.customer_id = :customer
    ORDER BY t.id, p.position
""")


async def post(
    connection: AsyncConnection,
    environment: str,
    customer: str,
    transactions: Sequence[Transaction],
) -> None:
    """Add what is not there yet under its name. Only transactions that balance can be committed."""
    for transaction in transactions:
        row = {
            "environment": environment,
            "name": transaction.name,
            "movement": transaction.movement,
            "at": transaction.at,
            "customer": customer,
        }
        added = (await connection.execute(_ADD, row)).scalar_one_or_none()
        if added is not None:
            rows = [_posting(environment, added, *each) for each in enumerate(transaction.postings)]
            await connection.execute(_ADD_POSTINGS, rows)


async def credit_movements(
    connection: AsyncConnection, customer: str | None, limit: int, after: int = 0
) -> Sequence[CreditMovement]:
    """Every movement of a customer's credits, or of all customers', in the order of posting."""
    asked = {"customer": customer, "limit": limit, "after": after}
    return [
        CreditMovement(seq, movement, at, grant, key, Money(amount, currency))
        for seq, movement, at, grant, key, amount, currency in await connection.execute(
            _MOVEMENTS, asked
        )
    ]


async def transactions(
    connection: AsyncConnection, customer: str | None = None
) -> Sequence[Transaction]:
    """All of a customer's transactions, or of everyone's, in the order of posting."""
    found: dict[str, tuple[Movement, datetime, list[Posting]]] = {}
    for name, movement, at, account, amount, currency in await connection.execute(
        _TRANSACTIONS, {"customer": customer}
    ):
        postings = found.setdefault(name, (movement, at, []))[2]
        postings.append(Posting(account, Money(amount, currency)))
    return [Transaction(name, kind, at, tuple(p)) for name, (kind, at, p) in found.items()]


def _posting(
    environment: str, transaction: int, position: int, posting: Posting
) -> Mapping[str, object]:
    return {
        "environment": environment,
        "transaction": transaction,
        "position": position,
        "account": posting.account,
        "amount": posting.amount.minor,
        "currency": posting.amount.currency,
    }
