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


Billing = Literal["self", "parent"]


@dataclass(frozen=True, slots=True)
class Customer:
    """`parent` is the id of the customer it belongs to; with `billing` by it, that one pays."""

    id: str
    key: str
    timezone: str = "UTC"
    tax_rates: tuple[TaxRate, ...] = ()
    test_clock: str | None = None
    has_payment_method: bool = True
    parent: str | None = None
    billing: Billing = "self"

    @property
    def payer(self) -> str | None:
        """Who pays for subscriptions of this customer that begin, where that is another."""
        return self.parent if self.billing == "parent" else None


@dataclass(frozen=True, slots=True)
class Coupon:
    """A discount: `percent_off` or `amount_off` (in `currency`), for `periods` billing periods, once or forever. It is
    redeemed before `redeem_by` and so often at most, and reduces no invoice from `expires_at` on.
    """

    key: str
    duration: Literal["once", "forever", "periods"]
    periods: int | None = None
    percent_off: Fraction | None = None
    amount_off: Fraction | None = None
    currency: str | None = None
    items: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    max_redemptions: int | None = None
    max_redemptions_per_customer: int | None = None
    redeem_by: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Redemption:
    """A coupon on a subscription. `uses` counts the invoices it has reduced (`once`) or the billing periods in
    which invoices were issued (`periods`), `last_used_in` is the start of the last of these.
    """

    coupon: Coupon
    redeemed_at: datetime
    uses: int = 0
    last_used_in: datetime | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """How often a coupon has been redeemed, by anybody and by the customer in question."""

    total: int = 0
    by_customer: int = 0
