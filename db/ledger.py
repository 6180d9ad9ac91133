"""The ledger: transactions that sum to zero, each once under its name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.wallets import repost
from domain.ledger import Movement, Posting, Transaction, credits_of
from domain.money import Money


@dataclass(frozen=True, slots=True)
class CreditMovement:
    """What one transaction did to a grant: `amount` is what it then had more (or less) left. A transfer did so to two:
    `seq` tells the postings of one transaction apart.
    """

    seq: int
    movement: Movement
    at: datetime
    grant: str
    grant_key: str
    amount: Money


MOST_POSTINGS = 100  # of one transaction

# It is recorded now, by the customer's own clock; never before what was recorded earlier, whatever clocks do.
_ADD = text("""
    INSERT INTO ledger_transactions (environment_id, name, movement, at, customer_id, recorded_at)
    VALUES (:environment, :name, :movement, :at, :customer, greatest(
        coalesce(
            (SELECT k.now FROM customers c
                JOIN test_clocks k ON k.environment_id = c.environment_id AND k.id = c.test_clock_id
                WHERE c.id = :customer),
            clock_timestamp()),
        (SELECT t.recorded_at FROM ledger_transactions t
            WHERE t.environment_id = :environment AND t.customer_id = :customer
            ORDER BY t.id DESC LIMIT 1)))
    ON CONFLICT (environment_id, name) DO NOTHING RETURNING id
""")
_ADD_POSTINGS = text("""
    INSERT INTO ledger_postings
        (environment_id, transaction_id, position, account, amount_minor, currency)
    VALUES (:environment, :transaction, :position, :account, :amount, :currency)
""")
_MOVEMENTS = text(f"""
    SELECT t.id * {MOST_POSTINGS} + p.position, t.movement, t.at, g.id, g.key, -p.amount_minor, p.currency
    FROM credit_grants g
    JOIN ledger_postings p ON p.environment_id = g.environment_id AND p.account = 'credits:' || g.id
    JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
    WHERE (CAST(:customer AS text) IS NULL OR g.customer_id = :customer)
        AND t.id * {MOST_POSTINGS} + p.position > :after
    ORDER BY t.id, p.position LIMIT :limit
""")
_IS_POSTED = text("SELECT EXISTS (SELECT FROM ledger_transactions WHERE name = :name)")
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
    """Add what is not there yet under its name, and keep the customer's wallets up with it. Only transactions that balance
    can be committed. The customer is locked: then what is recorded later is recorded at a later instant.
    """
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
    for currency in sorted(set(_of_credits(transactions))):
        await repost(connection, environment, customer, currency)


def _of_credits(transactions: Sequence[Transaction]) -> Iterator[str]:
    """The currencies in which credits moved."""
    for transaction in transactions:
        for posting in transaction.postings:
            if posting.account.startswith(credits_of("")):
                yield posting.amount.currency


async def is_posted(connection: AsyncConnection, name: str) -> bool:
    """Whether there is a transaction of that name."""
    return bool((await connection.execute(_IS_POSTED, {"name": name})).scalar_one())


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
