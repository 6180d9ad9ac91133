"""Who is billed, and what of theirs a bill depends on."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True, slots=True)
class TaxRate:
    key: str
    percent: Fraction
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    key: str
    timezone: str = "UTC"
    tax_rates: tuple[TaxRate, ...] = ()
    test_clock: str | None = None


@dataclass(frozen=True, slots=True)
class Coupon:
    """A discount: `percent_off` or `amount_off` (in `currency`), for `periods` billing periods, once or forever."""

    key: str
    duration: Literal["once", "forever", "periods"]
    periods: int | None = None
    percent_off: Fraction | None = None
    amount_off: Fraction | None = None
    currency: str | None = None
    items: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redemption:
    """A coupon on a subscription. `uses` counts the invoices it has reduced (`once`) or the billing periods in
    which invoices were issued (`periods`), `last_used_in` is the start of the last of these.
    """

    coupon: Coupon
    redeemed_at: datetime
    uses: int = 0
    last_used_in: datetime | None = None
