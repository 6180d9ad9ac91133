"""What a tenant sells: plans of items, each with a price; immutable once made, versioned when changed."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.calendar import Interval
from domain.pricing.price import Price

Charged = Literal["in_advance", "in_arrears"]
Proration = Literal["second", "day", "none"]
AdvanceInvoicing = Literal["each", "day", "period"]


@dataclass(frozen=True, slots=True)
class PlanRef:
    """One version of a plan: what a subscription is on until it is moved."""

    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a plan charges for. `quantity` is of recurring items, `meter` of usage items, `advance_invoicing` of
    usage charged in advance. `included` units are in the price.
    """

    key: str
    kind: Literal["recurring", "usage"]
    charged: Charged
    price: Price
    quantity: Fraction = Fraction(1)
    meter: str | None = None
    advance_invoicing: AdvanceInvoicing = "each"


@dataclass(frozen=True, slots=True)
class PlanCredit:
    """Promotional credit that a plan grants at the start of its first, or of every, paid period."""

    key: str
    amount: Fraction
    every_period: bool
    expires_after: Interval | None
    priority: int
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feature:
    """Something a customer may be entitled to: at all, or up to a limit of what `meter` measures."""

    key: str
    type: Literal["boolean", "metered"]
    meter: str | None = None


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a plan gives of a feature. A metered one without a `limit` is unlimited; what is beyond a limit is
    refused only where `on_limit` is `block`.
    """

    feature: str
    type: Literal["boolean", "metered"]
    value: bool = True
    limit: Fraction | None = None
    on_limit: Literal["block", "allow", "notify"] = "block"


@dataclass(frozen=True, slots=True)
class Plan:
    key: str
    version: int
    name: str
    currency: str
    interval: Interval
    anchor: Literal["anniversary", "calendar"] | datetime
    proration: Proration
    items: tuple[Item, ...]
    trial: Interval | None = None
    minimum_commitment: Fraction | None = None
    commitment_overage_factor: Fraction = Fraction(1)
    credits: tuple[PlanCredit, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    invoice_grace: Interval | None = None

    @property
    def ref(self) -> PlanRef:
        return PlanRef(self.key, self.version)

    def item(self, key: str) -> Item | None:
        return next((item for item in self.items if item.key == key), None)
