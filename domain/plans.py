"""What a tenant sells: plans of items, each with a price; immutable once made, versioned when changed."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.calendar import Interval
from domain.pricing.price import Price

Charged = Literal["in_advance", "in_arrears"]
Proration = Literal["second", "day", "none"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Usage gathers until what is not billed of it comes to `amount`, above zero and in the plan's currency."""

    amount: Fraction


AdvanceInvoicing = Literal["each", "day", "period"] | Threshold
Occasion = Literal["arrival", "day", "period"]


@dataclass(frozen=True, slots=True)
class PlanRef:
    """One version of a plan: what a subscription is on until it is moved."""

    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a plan charges for. `quantity` is of recurring items, `meter` of usage items, `advance_invoicing` of
    usage charged in advance. `included` units are in the price. A `minimum_commitment` is in the plan's currency, for
    a whole period.
    """

    key: str
    kind: Literal["recurring", "usage"]
    charged: Charged
    price: Price
    quantity: Fraction = Fraction(1)
    meter: str | None = None
    advance_invoicing: AdvanceInvoicing = "each"
    minimum_commitment: Fraction | None = None
    commitment_overage_factor: Fraction = Fraction(1)

    @property
    def invoiced_on(self) -> Occasion:
        """What may bring an invoice of it: usage that arrives, the end of a day with usage, or that of a period."""
        if (self.kind, self.charged) != ("usage", "in_advance"):
            return "period"
        if self.advance_invoicing == "each" or isinstance(self.advance_invoicing, Threshold):
            return "arrival"
        return self.advance_invoicing


@dataclass(frozen=True, slots=True)
class Rollover:
    """What the next grant of a credit takes over of the ones before it: at most `maximum` of what is left, and where that
    is less than `minimum`, so much more. In the plan's currency.
    """

    maximum: Fraction | None = None
    minimum: Fraction | None = None


@dataclass(frozen=True, slots=True)
class PlanCredit:
    """Promotional credit that a plan grants at the start of its first, or of every, paid period. `on_plan_change` tells
    whether one that cuts the period short takes back what was for the rest, and one to it grants what is for the rest.
    """

    key: str
    amount: Fraction
    every_period: bool
    expires_after: Interval | None
    priority: int
    items: tuple[str, ...] = ()
    rollover: Rollover | None = None
    on_plan_change: Literal["keep", "prorate"] = "keep"


@dataclass(frozen=True, slots=True)
class TopUpBonus:
    """Promotional credit that comes with a top-up of `threshold` or more: a percentage of what is paid, or an amount. In
    the plan's currency.
    """

    threshold: Fraction
    percent: Fraction | None = None
    amount: Fraction | None = None
    expires_after: Interval | None = None


FeatureType = Literal["boolean", "static", "metered"]
Combine = Literal["maximum", "sum"]
Reset = Literal["period", "day", "hour", "never"]
OnLimit = Literal["block", "notify", "allow"]
Value = bool | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """Something a customer may be entitled to: at all, a value that callers read, or up to a limit of what `meter`
    measures. `combine` tells what limits from several sources come to.
    """

    key: str
    type: FeatureType
    meter: str | None = None
    combine: Combine = "maximum"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a plan, an add-on or an override gives of a feature; `value` is false where it gives nothing.

    A metered one without a `limit` is unlimited; what is beyond a limit is refused only where `on_limit` is `block`. At
    `soft_limit` callers are told, and nothing is refused. The limit is for as long as `reset` says. With `carry_over`,
    what was not used of it is added to the next one, up to `carry_over_maximum`.
    """

    feature: str
    type: FeatureType
    value: Value = True
    limit: Fraction | None = None
    on_limit: OnLimit = "block"
    soft_limit: Fraction | None = None
    reset: Reset = "period"
    carry_over: bool = False
    carry_over_maximum: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`fills_gaps` tells that this version prices the usage groups that earlier ones have no price for.

    `activation`: whether the first payment gates what is bought. `trial_without_payment_method`: what becomes of a trial
    that ends where there is nothing to pay with. `on_past_due`, `on_uncollectible`: what an invoice that is not paid, or
    given up, does to the subscription: `suspend` entitles to nothing meanwhile. `overdraft`, in the plan's currency, is how
    far holds may go below the credit there is. With `progressive_invoicing`, usage in arrears is invoiced on account as soon
    as what is not billed of it comes to the threshold.
    """

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
    top_up_bonuses: tuple[TopUpBonus, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    invoice_grace: Interval | None = None
    fills_gaps: bool = False
    activation: Literal["immediate", "first_payment"] = "immediate"
    trial_without_payment_method: Literal["continue", "pause", "cancel"] = "continue"
    on_past_due: Literal["continue", "suspend"] = "continue"
    on_uncollectible: Literal["continue", "pause", "cancel"] = "continue"
    overdraft: Fraction = Fraction(0)
    progressive_invoicing: Threshold | None = None

    @property
    def ref(self) -> PlanRef:
        return PlanRef(self.key, self.version)

    @property
    def minds_payment(self) -> bool:
        """Whether a subscription is to hear what becomes of its invoices."""
        return (self.on_past_due, self.on_uncollectible) != ("continue", "continue")

    @property
    def occasions(self) -> frozenset[Occasion]:
        occasions = {item.invoiced_on for item in self.items}
        if self.progressive_invoicing is not None:
            occasions.add("arrival")
        return frozenset(occasions)

    def awaits_usage(self, item: Item) -> bool:
        """Whether usage of an item may bring an invoice before its period is over."""
        is_awaited = item.charged == "in_advance" or self.progressive_invoicing is not None
        return item.kind == "usage" and is_awaited

    def item(self, key: str) -> Item | None:
        return next((item for item in self.items if item.key == key), None)
