"""What a customer has at an instant: a pure function of the ledger's postings, also as it was known at an earlier one.

Two times decide. A transaction happened `at` an instant, and was recorded at one: late, where a worker was away. So what
was known of February on its tenth can be told for ever, whatever is posted for it afterwards.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.credits import Grant, GrantBalance
from domain.errors import Invalid
from domain.ledger import Transaction, credit_note_balance, credits_of
from domain.money import Money
from domain.reading import written


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transaction with the instant at which it was recorded, in the customer's own time: the world's, or what a test
    clock showed.
    """

    transaction: Transaction
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """The instant that is looked at, and the one whose knowledge counts; None for all that is known."""

    at: datetime
    known_at: datetime | None = None


def look(at: datetime | None, known_at: datetime | None, now: datetime) -> Look:
    """Unless told otherwise, one looks at what was so when it was known. Raises Invalid for what is not known yet."""
    if known_at is not None and known_at > now:
        message = (
            f"must not be in the future: it is {written(now)}, and more may be recorded by then"
        )
        raise Invalid.at("known_at", message)
    return Look(at or known_at or now, known_at)


def left_of_grants(
    recorded: Iterable[Recorded], grants: Iterable[Grant], look: Look
) -> list[GrantBalance]:
    """What postings left of each grant of which there are any; what that is worth at an instant, the balance says."""
    held = _held(recorded, look)
    return [
        GrantBalance(grant, Money(-held[account], grant.amount.currency))
        for grant in grants
        if (account := (credits_of(grant.id), grant.amount.currency)) in held
    ]


def left_of_credit_notes(recorded: Iterable[Recorded], customer: str, look: Look) -> list[Money]:
    """What postings left of the customer's credit notes, in each currency."""
    account = credit_note_balance(customer)
    held = _held(recorded, look)
    return [Money(-minor, currency) for (of, currency), minor in held.items() if of == account]


def _held(recorded: Iterable[Recorded], look: Look) -> Mapping[tuple[str, str], int]:
    """What each account holds in each currency, in debits."""
    held: dict[tuple[str, str], int] = {}
    for transaction in _seen(recorded, look):
        for posting in transaction.postings:
            account = posting.account, posting.amount.currency
            held[account] = held.get(account, 0) + posting.amount.minor
    return held


def _seen(recorded: Iterable[Recorded], look: Look) -> Iterator[Transaction]:
    for each in recorded:
        is_known = look.known_at is None or each.recorded_at <= look.known_at
        if is_known and each.transaction.at <= look.at:
            yield each.transaction
