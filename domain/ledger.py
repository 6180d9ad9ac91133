"""Double entry: every transaction sums to zero in one currency, and none is ever edited."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.errors import UnbalancedTransaction
from domain.money import Money

Movement = Literal["invoice", "payment", "grant", "burn", "expire", "refund", "void", "credit_note"]


@dataclass(frozen=True, slots=True)
class Posting:
    """Debits are positive, credits negative. Accounts: `receivable:{customer}`, `revenue`, `tax`, `cash`,
    `credits:{grant}` (what we owe in prepaid or promotional value), `promotions` (the cost of promotional
    grants), `breakage`, `credit_notes:{customer}`.
    """

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Transaction:
    """`name` is the business fact it records (`invoice:{sub}:{period}`, `burn:{invoice}:{grant}`,
    `expire:{grant}`): a repeat is a no-op.
    """

    name: str
    movement: Movement
    at: datetime
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if len({posting.amount.currency for posting in self.postings}) != 1:
            raise UnbalancedTransaction(self.name, "one currency per transaction")
        if sum(posting.amount.minor for posting in self.postings) != 0:
            raise UnbalancedTransaction(self.name, "postings do not sum to zero")
