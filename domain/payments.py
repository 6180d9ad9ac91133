"""What became of money at the provider: one attempt to collect an invoice, or one refund."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.money import Money


@dataclass(frozen=True, slots=True)
class Payment:
    """`attempt` counts an invoice's attempts from 1; a refund has none. `invoice` is the invoice's number."""

    at: datetime
    kind: Literal["payment", "refund"]
    amount: Money
    status: Literal["succeeded", "failed", "requires_action", "processing"]
    invoice: str
    attempt: int | None = None
    failure_code: str | None = None
