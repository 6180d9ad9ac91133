"""Charges: what an invoice is made of, exact, before it is settled. Here the recurring ones and their prorations, of the
plan's items and of the subscription's add-ons behind them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import assert_never

from domain.add_ons import with_add_ons, with_removed_add_ons
from domain.basis import Basis, OfShare
from domain.calendar import Period
from domain.exact import ZERO, as_fraction, sum_of
from domain.invoices import LineCharged, LineKind
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
    `takes_back` tells which of two prorations comes first. `basis` is what it was computed from, for whoever explains
    it; None for what was asked for as it is.
    """

    kind: LineKind
    item: str | None
    description: str
    quantity: Fraction
    exact_amount: Fraction
    period: Period | None
    charged: LineCharged = "in_arrears"
    plan: PlanRef | None = None
    order: int = 0
    takes_back: bool = False
    basis: Basis | None = None
    credits_invoice: str | None = None


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

    def has_lines(self, plan: Plan) -> bool:
        """Whether items are charged for it, be it 0.00 for less than a day: not for no time at all, nor by a change that
        moves nothing.
        """
        moves_nothing = self.changes_plan and plan.proration == "none"
        return self.part.start < self.part.end and not moves_nothing

    def basis(
        self,
        plan: Plan,
        item: Item,
        share: Fraction,
        quantity: Fraction,
        before: Fraction | None = None,
    ) -> OfShare:
        """That such a share was charged of what a quantity costs."""
        how = (self.part, self.whole, plan.proration, self.timezone)
        return OfShare(item.price, quantity, share, *how, before)


def charged_in_advance(plan: Plan, subscription: Subscription, period: Stretch) -> list[Charge]:
    """The recurring items that are charged before a period begins."""
    plan = with_add_ons(plan, subscription)
    return [
        _charge(
            plan, item, "recurring", quantity_of(subscription, item), period.share(plan), period
        )
        for item in _recurring_items(plan, "in_advance")
    ]


def charged_in_arrears(plan: Plan, subscription: Subscription, past: Stretch) -> list[Charge]:
    """The recurring items that are charged after a stretch, at the quantities it began with."""
    plan, share = with_removed_add_ons(plan, subscription), past.share(plan)
    return [
        _charge(plan, item, "recurring", quantity, share, past)
        for item in _recurring_items(plan, "in_arrears")
        if past.has_lines(plan) and (quantity := _quantity_before(subscription, item)) is not None
    ]


def taken_back(plan: Plan, subscription: Subscription, rest: Stretch) -> list[Charge]:
    """The rest of a period that items were charged for in advance, no longer wanted."""
    plan, share = with_add_ons(plan, subscription), -rest.share(plan)
    return [
        _charge(plan, item, "proration", quantity_of(subscription, item), share, rest, True)
        for item in _recurring_items(plan, "in_advance")
        if rest.has_lines(plan)
    ]


def charged_for_rest(plan: Plan, subscription: Subscription, rest: Stretch) -> list[Charge]:
    """The rest of a period, of the items that are charged in advance."""
    plan, share = with_add_ons(plan, subscription), rest.share(plan)
    return [
        _charge(plan, item, "proration", quantity_of(subscription, item), share, rest)
        for item in _recurring_items(plan, "in_advance")
        if rest.has_lines(plan)
    ]


def changed_quantities(
    plan: Plan, subscription: Subscription, whole: Period, until: datetime
) -> list[Charge]:
    """A line for each change of a quantity, of the difference from then on: to the period's end where that was
    charged in advance, else to where the arrears end.
    """
    plan = with_removed_add_ons(plan, subscription)
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
            return as_fraction(sum_of([group.quantity for group in groups]))
        case Events(events):
            return as_fraction(sum_of([event.quantity or ZERO for event in events]))
        case _:
            assert_never(usage)


def order_of(plan: Plan, item: Item) -> int:
    return plan.items.index(item)


def _recurring_items(plan: Plan, charged: Charged) -> Iterator[Item]:
    return (item for item in plan.items if item.kind == "recurring" and item.charged == charged)


def _charge(
    plan: Plan,
    item: Item,
    kind: LineKind,
    quantity: Fraction,
    share: Fraction,
    stretch: Stretch,
    takes_back: bool = False,
) -> Charge:
    """A share, signed, of what a quantity costs for a whole period."""
    usage = Quantity(quantity)
    return Charge(
        kind=kind,
        item=item.key,
        description=_description(plan, item, takes_back),
        quantity=shown_quantity(item.price, usage),
        exact_amount=rate(item.price, usage).amount * share,
        period=stretch.part,
        charged=item.charged,
        plan=plan.ref,
        order=order_of(plan, item),
        takes_back=takes_back,
        basis=stretch.basis(plan, item, share, quantity),
    )


def _description(plan: Plan, item: Item, takes_back: bool) -> str:
    return f"{plan.name}: {item.key}, unused" if takes_back else f"{plan.name}: {item.key}"


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
    stretch = Stretch(part, whole, subscription.timezone, changes_plan=True)
    if not stretch.has_lines(plan):
        return
    share = stretch.share(plan)
    before, after = _whole(item, change.before), _whole(item, change.after)
    quantity = after.quantity - before.quantity
    yield Charge(
        kind="proration",
        item=item.key,
        description=_description_of_change(plan, item, change),
        quantity=quantity,
        exact_amount=(after.amount - before.amount) * share,
        period=part,
        charged=item.charged,
        plan=plan.ref,
        order=order_of(plan, item),
        takes_back=quantity < 0,
        basis=_basis_of_change(plan, item, change, stretch, share),
    )


@dataclass(frozen=True, slots=True)
class _Whole:
    """What a quantity shows and costs for a whole period: nothing, of what is not there."""

    quantity: Fraction = Fraction(0)
    amount: Fraction = Fraction(0)


def _whole(item: Item, quantity: Fraction | None) -> _Whole:
    if quantity is None:
        return _Whole()
    usage = Quantity(quantity)
    return _Whole(shown_quantity(item.price, usage), rate(item.price, usage).amount)


def _basis_of_change(
    plan: Plan, item: Item, change: QuantityChange, stretch: Stretch, share: Fraction
) -> OfShare:
    if change.after is not None:
        return stretch.basis(plan, item, share, change.after, change.before)
    return stretch.basis(plan, item, -share, _whole(item, change.before).quantity)


def _description_of_change(plan: Plan, item: Item, change: QuantityChange) -> str:
    if change.before is None or change.after is None:
        return _description(plan, item, takes_back=change.after is None)
    return f"{plan.name}: {item.key}, quantity changed"


def _quantity_before(subscription: Subscription, item: Item) -> Fraction | None:
    """The quantity before the changes that the next invoice prorates; None of an add-on that was not there."""
    changes = [change for change in subscription.quantity_changes if change.item == item.key]
    return changes[0].before if changes else quantity_of(subscription, item)
