"""Credit grants: what they are, what is left of them at an instant, in which order they burn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.money import Money

CreditKind = Literal["prepaid", "promotional"]


@dataclass(frozen=True, slots=True)
class Grant:
    id: str
    key: str
    customer: str
    kind: CreditKind
    amount: Money
    priority: int
    granted_at: datetime
    effective_at: datetime
    expires_at: datetime | None = None
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GrantBalance:
    """A grant and what the ledger says is left of it (postings alone: expiry not yet considered)."""

    grant: Grant
    remaining: Money
