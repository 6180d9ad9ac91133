"""Collecting one invoice: what each answer of the provider means, and when to try again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.money import Money
from domain.subscription import Phase

RETRIES = (timedelta(days=3), timedelta(days=5), timedelta(days=7))  # after the first attempt
HARD_DECLINES = frozenset(
    {
        "stolen_card",
        "lost_card",
        "pickup_card",
        "incorrect_number",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "transaction_not_allowed",
        "highest_risk_level",
        "authentication_required",
    }
)

CollectionStatus = Literal["open", "past_due", "paid", "uncollectible", "void"]
AttemptStatus = Literal["succeeded", "failed", "requires_action", "processing"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended, as the provider tells it."""

    status: AttemptStatus
    at: datetime
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """One invoice on its way to being paid. `attempts` counts the attempts that got an answer; an outage is
    none. `next_attempt_at` is None while it waits for the customer, for the provider, or is over.
    """

    invoice: str
    customer: str
    amount_due: Money
    issued_at: datetime
    status: CollectionStatus = "open"
    attempts: int = 0
    first_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    awaiting: Literal["nothing", "customer", "provider"] = "nothing"
    environment: str = ""
    test_clock: str | None = None

    @property
    def is_over(self) -> bool:
        return self.status in ("paid", "uncollectible", "void")

    def next_due(self) -> tuple[datetime, Phase] | None:
        """When to attempt next. The first attempt is a part of issuing the invoice: nothing comes between."""
        if self.is_over or self.next_attempt_at is None:
            return None
        return self.next_attempt_at, Phase.ATTEMPTS if self.attempts else Phase.ARRIVED
