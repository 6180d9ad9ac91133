"""Charges for usage: of a stretch that is over, as it arrives, and late for what was closed before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from domain.account import BilledUsage, Facts, IssuedLine, Need
from domain.calendar import Period
from domain.charges import Charge, order_of, shown_quantity
from domain.errors import Corrupt, Invalid
from domain.money import settle
from domain.plans import AdvanceInvoicing, Item, Plan
from domain.pricing.price import usage_shape
from domain.pricing.usage import Usage
from domain.rating import rate
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Consumed:
    """Charges for usage, and what has now been billed of each item and window."""

    charges: tuple[Charge, ...]
    billed: tuple[BilledUsage, ...]


def usage_needs(plan: Plan, subscription: Subscription, until: datetime) -> tuple[Need, ...]:
    """The usage of every item since the last invoice, up to an instant."""
    return tuple(need for _, need in _open(plan, subscription, until))


def advance_needs(plan: Plan, subscription: Subscription) -> tuple[Need, ...]:
    """The usage so far of the items that are charged as it arrives."""
    return tuple(need for _, need in _open_in_advance(plan, subscription))


def late_needs(facts: Facts) -> tuple[Need, ...]:
    """The usage, as it is known now, of every closed window that events may have reached since."""
    return tuple(_need_again(_item_of(facts, billed), billed) for billed in facts.billed)


def used_up_to(plan: Plan, subscription: Subscription, facts: Facts, until: datetime) -> Consumed:
    """Charge the usage of every item since the last invoice, up to an instant, and close that window."""
    charges: list[Charge] = []
    billed: list[BilledUsage] = []
    for item, need in _open(plan, subscription, until):
        charge = _charge(plan, item, need.window, facts.usage[need])
        before = _billed_in_advance(facts.advance, charge)
        charges.extend(_rest_of(charge, before, plan.currency))
        billed.append(_closed(charge, item, need))
    return Consumed(tuple(charges), tuple(billed))


def used_in_advance(
    plan: Plan, subscription: Subscription, facts: Facts, invoicing: AdvanceInvoicing
) -> list[Charge]:
    """For each item charged as it is used, and invoiced that way, the difference of its rounded running total to
    what has been billed.
    """
    charges = [
        _charge(plan, item, need.window, facts.usage[need])
        for item, need in _open_in_advance(plan, subscription)
        if item.advance_invoicing == invoicing
    ]
    return [
        rest
        for charge in charges
        for rest in _rest_of(charge, _billed_in_advance(facts.advance, charge), plan.currency)
    ]


def used_late(facts: Facts) -> Consumed:
    """For each closed window, the rating of all its usage less all that was billed for it; the oldest first."""
    found = [_late(facts, billed) for billed in facts.billed]
    differing = [
        (charge, billed) for charge, billed in found if charge.quantity or charge.exact_amount
    ]
    differing.sort(key=lambda late: (late[1].window.start, late[0].order))
    return Consumed(
        tuple(charge for charge, _ in differing), tuple(billed for _, billed in differing)
    )


def _late(facts: Facts, billed: BilledUsage) -> tuple[Charge, BilledUsage]:
    plan, item = facts.plans[billed.plan], _item_of(facts, billed)
    usage = facts.usage[_need_again(item, billed)]
    whole = _charge(plan, item, billed.window, usage)
    now = _closed(whole, item, _need_again(item, billed))
    difference = replace(
        whole,
        kind="late_usage",
        description=f"{whole.description}, late",
        quantity=now.quantity - billed.quantity,
        exact_amount=now.exact_amount - billed.exact_amount,
        charged="in_arrears",
    )
    return difference, now


def _charge(plan: Plan, item: Item, window: Period, usage: Usage) -> Charge:
    """What all usage of a window costs; rounded where it is charged as it arrives, since that is what is billed."""
    exact = _rated(plan, item, usage)
    return Charge(
        kind="usage",
        item=item.key,
        description=f"{plan.name}: {item.key}",
        quantity=shown_quantity(item.price, usage),
        exact_amount=exact if item.charged == "in_arrears" else settle(exact, plan.currency).exact,
        period=window,
        charged=item.charged,
        plan=plan.ref,
        order=order_of(plan, item),
    )


def _rated(plan: Plan, item: Item, usage: Usage) -> Fraction:
    """Raises Invalid, with the plan and the item in the path, for usage that the price cannot charge."""
    try:
        return rate(item.price, usage).amount
    except Invalid as invalid:
        raise Invalid(invalid.beneath(f"{plan.key}.{item.key}")) from None


def _closed(charge: Charge, item: Item, need: Need) -> BilledUsage:
    assert charge.plan is not None
    return BilledUsage(
        item=item.key,
        plan=charge.plan,
        window=need.window,
        quantity=charge.quantity,
        exact_amount=charge.exact_amount,
        without=need.without,
    )


def _rest_of(charge: Charge, billed: tuple[Fraction, Fraction], currency: str) -> Iterator[Charge]:
    """The charge, less the quantity and amount that were billed of it in advance: none where that is all."""
    quantity, amount = billed
    if charge.charged == "in_arrears":
        yield charge
    elif charge.exact_amount != amount:
        yield replace(
            charge, quantity=charge.quantity - quantity, exact_amount=charge.exact_amount - amount
        )


def _billed_in_advance(lines: Sequence[IssuedLine], charge: Charge) -> tuple[Fraction, Fraction]:
    """The quantity and amount that lines have billed of a charge as it was used."""
    assert charge.period is not None
    of_charge = [
        issued.line
        for issued in lines
        if issued.line.kind == "usage"
        and (issued.line.item, issued.line.plan) == (charge.item, charge.plan)
        and issued.line.period is not None
        and issued.line.period.start == charge.period.start
    ]
    quantity = sum((line.quantity for line in of_charge), Fraction(0))
    return quantity, sum((line.amount.exact for line in of_charge), Fraction(0))


def _open(plan: Plan, subscription: Subscription, until: datetime) -> Iterator[tuple[Item, Need]]:
    """The usage items, with the window since the last invoice unless it is empty."""
    since = subscription.usage_from
    if since is None or since >= until:
        return
    window = Period(since, until)
    for item in plan.items:
        if item.kind == "usage":
            yield item, _need(item, window, pauses_in(subscription, window))


def _open_in_advance(plan: Plan, subscription: Subscription) -> Iterator[tuple[Item, Need]]:
    if subscription.period is None:
        return
    for item, need in _open(plan, subscription, subscription.period.end):
        if item.charged == "in_advance":
            yield item, need


def pauses_in(subscription: Subscription, window: Period) -> tuple[Period, ...]:
    """The pauses that a window has a part of; one that goes on lasts to its end."""
    pauses = list(subscription.pauses)
    if subscription.paused_at is not None and subscription.paused_at < window.end:
        pauses.append(Period(subscription.paused_at, window.end))
    return tuple(p for p in pauses if p.start < window.end and window.start < p.end)


def _need(item: Item, window: Period, without: tuple[Period, ...]) -> Need:
    return Need(item.key, item.meter or "", window, without, usage_shape(item.price))


def _need_again(item: Item, billed: BilledUsage) -> Need:
    return _need(item, billed.window, billed.without)


def _item_of(facts: Facts, billed: BilledUsage) -> Item:
    item = facts.plans[billed.plan].item(billed.item)
    if item is None:
        raise Corrupt(f"{billed.plan.key} has no item {billed.item} that was billed")
    return item
