"""Charges: what an invoice is made of, exact, before it is settled. Here the recurring ones and their prorations."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import assert_never

from domain.calendar import Period
from domain.invoices import LineKind
from domain.plans import Charged, Item, Plan, PlanRef
from domain.pricing.flat import Flat
from domain.pricing.price import Price
from domain.pricing.usage import Events, Groups, Quantity, Usage
from domain.proration import share_of, share_of_change
from domain.rating import rate
from domain.subscription import QuantityChange, Subscription


@dataclass(frozen=True, slots=True)
class Charge:
    """A line to be. `exact_amount` is in the invoice's currency; `order` is the item's place in its plan, and
    `takes_back` tells which of two prorations comes first.
    """

    kind: LineKind
    item: str | None
    description: str
    quantity: Fraction
    exact_amount: Fraction
    period: Period | None
    charged: Charged = "in_arrears"
    plan: PlanRef | None = None
    order: int = 0
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a billing period in which a subscription was on one plan, and the whole period it is prorated by.
    `changes_plan` tells that a change of plan within the period begins or ends it: where a plan does not prorate,
    such a stretch bears nothing, and a short first period or the last one before a cancel all.
    """

    part: Period
    whole: Period
    timezone: str
    changes_plan: bool = False

    def share(self, plan: Plan) -> Fraction:
        share = share_of_change if self.changes_plan else share_of
        return share(self.part, self.whole, plan.proration, self.timezone)


def charged_in_advance(plan: Plan, subscription: Subscription, period: Stretch) -> list[Charge]:
    """The recurring items that are charged before a period begins."""
    return [
        _charge(
            plan, item, "recurring", quantity_of(subscription, item), period.share(plan), period
        )
        for item in _recurring_items(plan, "in_advance")
    ]


def charged_in_arrears(plan: Plan, subscription: Subscription, past: Stretch) -> list[Charge]:
    """The recurring items that are charged after a stretch, at the quantities it began with."""
    share = past.share(plan)
    return [
        _charge(plan, item, "recurring", _quantity_before(subscription, item), share, past)
        for item in _recurring_items(plan, "in_arrears")
        if share
    ]


def taken_back(plan: Plan, subscription: Subscription, rest: Stretch) -> list[Charge]:
    """The rest of a period that items were charged for in advance, no longer wanted."""
    return [
        _charge(plan, item, "proration", quantity_of(subscription, item), -share, rest)
        for item in _recurring_items(plan, "in_advance")
        if (share := rest.share(plan))
    ]


def charged_for_rest(plan: Plan, subscription: Subscription, rest: Stretch) -> list[Charge]:
    """The rest of a period, of the items that are charged in advance."""
    return [
        _charge(plan, item, "proration", quantity_of(subscription, item), share, rest)
        for item in _recurring_items(plan, "in_advance")
        if (share := rest.share(plan))
    ]


def changed_quantities(
    plan: Plan, subscription: Subscription, whole: Period, until: datetime
) -> list[Charge]:
    """A line for each change of a quantity, of the difference from then on: to the period's end where that was
    charged in advance, else to where the arrears end.
    """
    return [
        charge
        for change in subscription.quantity_changes
        for item in plan.items
        if item.key == change.item
        for charge in _changed_quantity(plan, item, change, subscription, whole, until)
    ]


def in_order(prorations: list[Charge]) -> list[Charge]:
    """Minus before plus, then in the order of the plan."""
    return sorted(prorations, key=lambda charge: (not charge.takes_back, charge.order))


def quantity_of(subscription: Subscription, item: Item) -> Fraction:
    return subscription.quantities.get(item.key, item.quantity)


def shown_quantity(price: Price, usage: Usage) -> Fraction:
    """The quantity a line shows: 1 of a flat price, else what was used, before `included` comes off."""
    return Fraction(1) if isinstance(price.model, Flat) else total_quantity(usage)


def total_quantity(usage: Usage) -> Fraction:
    match usage:
        case Quantity(total):
            return total
        case Groups(groups):
            return sum((group.quantity for group in groups), Fraction(0))
        case Events(events):
            return sum((event.quantity or Fraction(0) for event in events), Fraction(0))
        case _:
            assert_never(usage)


def order_of(plan: Plan, item: Item) -> int:
    return plan.items.index(item)


def _recurring_items(plan: Plan, charged: Charged) -> Iterator[Item]:
    return (item for item in plan.items if item.kind == "recurring" and item.charged == charged)


def _charge(
    plan: Plan, item: Item, kind: LineKind, quantity: Fraction, share: Fraction, stretch: Stretch
) -> Charge:
    """A share, signed, of what a quantity costs for a whole period."""
    usage = Quantity(quantity)
    return Charge(
        kind=kind,
        item=item.key,
        description=_description(plan, item, share),
        quantity=shown_quantity(item.price, usage),
        exact_amount=rate(item.price, usage).amount * share,
        period=stretch.part,
        charged=item.charged,
        plan=plan.ref,
        order=order_of(plan, item),
        takes_back=share < 0,
    )


def _description(plan: Plan, item: Item, share: Fraction) -> str:
    return f"{plan.name}: {item.key}, unused" if share < 0 else f"{plan.name}: {item.key}"


def _changed_quantity(
    plan: Plan,
    item: Item,
    change: QuantityChange,
    subscription: Subscription,
    whole: Period,
    until: datetime,
) -> Iterator[Charge]:
    end = until
    if item.charged == "in_advance" and subscription.period is not None:
        end = subscription.period.end
    part = Period(change.at, end)
    if part.start >= part.end:
        return
    share = Stretch(part, whole, subscription.timezone, changes_plan=True).share(plan)
    before, after = Quantity(change.before), Quantity(change.after)
    amount = rate(item.price, after).amount - rate(item.price, before).amount
    quantity = shown_quantity(item.price, after) - shown_quantity(item.price, before)
    if share:
        yield Charge(
            kind="proration",
            item=item.key,
            description=f"{plan.name}: {item.key}, quantity changed",
            quantity=quantity,
            exact_amount=amount * share,
            period=part,
            charged=item.charged,
            plan=plan.ref,
            order=order_of(plan, item),
            takes_back=quantity < 0,
        )


def _quantity_before(subscription: Subscription, item: Item) -> Fraction:
    """The quantity before the changes that the next invoice prorates."""
    changes = [change for change in subscription.quantity_changes if change.item == item.key]
    return changes[0].before if changes else quantity_of(subscription, item)
