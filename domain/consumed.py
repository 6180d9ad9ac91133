"""Charges for usage: of a stretch that is over, as it arrives, and late for what was closed before."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import assert_never

from domain.account import BilledUsage, Facts, IssuedLine, Need
from domain.basis import OfUsage
from domain.calendar import Period
from domain.charges import Charge, order_of, shown_quantity
from domain.errors import Corrupt, Invalid
from domain.invoices import Line
from domain.metering.meter import Meter, adds_up
from domain.money import settle
from domain.plans import AdvanceInvoicing, Item, Occasion, Plan, PlanRef, Threshold
from domain.pricing.price import usage_shape
from domain.pricing.usage import Events, Groups, Quantity, Usage
from domain.rating import rate
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Consumed:
    """Charges for usage, and what has now been billed of each item and window."""

    charges: tuple[Charge, ...]
    billed: tuple[BilledUsage, ...]


def usage_needs(
    plan: Plan, subscription: Subscription, facts: Facts, until: datetime
) -> tuple[Need, ...]:
    """The usage of every item since the last invoice, up to an instant."""
    return tuple(need for _, need in open_usage(plan, subscription, facts, until))


def advance_needs(plan: Plan, subscription: Subscription, facts: Facts) -> tuple[Need, ...]:
    """The usage so far of the items that are charged as it arrives."""
    return tuple(need for _, need in _open_in_advance(plan, subscription, facts))


def opening_needs(plan: Plan, subscription: Subscription, facts: Facts) -> tuple[Need, ...]:
    """The same, and the events of these items whose level carries over: it alone is no usage yet."""
    needs = advance_needs(plan, subscription, facts)
    return (*needs, *(_shows_usage(need, facts) for need in needs))


def day_needs(
    plan: Plan, subscription: Subscription, facts: Facts, at: datetime
) -> tuple[Need, ...]:
    """The usage of the items that are charged as it arrives, up to the end of a day and with all that is known."""
    return tuple(
        each
        for item, need in _open_in_advance(plan, subscription, facts)
        for each in (need, _up_to(need, facts.meters[need.meter], at))
    )


def late_needs(facts: Facts) -> tuple[Need, ...]:
    """The usage, as it is known now, of every closed window that events may have reached since."""
    return tuple(_need_again(facts, billed) for billed in facts.billed)


def used_up_to(plan: Plan, subscription: Subscription, facts: Facts, until: datetime) -> Consumed:
    """Charge the usage of every item since the last invoice, up to an instant, and close that window."""
    charges = list(_taken_back(plan, subscription, facts, until))
    billed: list[BilledUsage] = []
    for item, need in open_usage(plan, subscription, facts, until):
        charge = charge_of_usage(plan, item, need.window, facts.usage[need])
        before = _billed_in_advance(facts.advance, charge)
        charges.extend(_rest_of(charge, before, plan.currency))
        billed.append(_closed(charge, item, need))
    return Consumed(tuple(charges), tuple(billed))


def used_in_advance(
    plan: Plan,
    subscription: Subscription,
    facts: Facts,
    occasion: Occasion,
    until: datetime | None = None,
    items: Collection[str] | None = None,
) -> list[Charge]:
    """For each item charged as it is used, and invoiced on this occasion, the difference of its rounded running total
    (of usage before `until`) to what has been billed; of these `items` alone, or of all.

    What a price asks for no usage at all waits for the first usage, or for the end of the window. An item that gathers
    until a threshold waits while the difference is below it, or less than nothing: the end of the window settles it.
    """
    return [
        rest
        for item, need in _open_in_advance(plan, subscription, facts)
        if item.invoiced_on == occasion and (items is None or item.key in items)
        for rest in _rest_in_advance(plan, item, need, facts, until)
        if not _gathers(item.advance_invoicing, rest)
    ]


def used_ahead(plan: Plan, subscription: Subscription, facts: Facts) -> frozenset[str]:
    """The items charged as they are used that have had usage in the open window (`opening_needs`)."""
    return frozenset(
        item.key
        for item, need in _open_in_advance(plan, subscription, facts)
        if not is_nothing(facts.usage[_shows_usage(need, facts)])
    )


def used_after_day(plan: Plan, subscription: Subscription, facts: Facts, at: datetime) -> bool:
    """Whether usage that is invoiced by the day is known of days after the one that ends (`day_needs`)."""
    return any(
        facts.usage[need] != facts.usage[_up_to(need, facts.meters[need.meter], at)]
        for item, need in _open_in_advance(plan, subscription, facts)
        if item.invoiced_on == "day"
    )


def used_late(facts: Facts) -> Consumed:
    """For each closed window, the rating of all its usage less all that was billed for it; the oldest first. What has
    now been billed is told of those, too, in which nothing new was found.
    """
    found = [_late(facts, billed) for billed in facts.billed]
    found.sort(key=lambda late: (late[1].window.start, late[0].order))
    charges = tuple(charge for charge, _ in found if charge.quantity or charge.exact_amount)
    return Consumed(charges, tuple(billed for _, billed in found))


def _rest_in_advance(
    plan: Plan, item: Item, need: Need, facts: Facts, until: datetime | None
) -> Iterator[Charge]:
    counted = need if until is None else _up_to(need, facts.meters[need.meter], until)
    usage = facts.usage[counted]
    charge = charge_of_usage(plan, item, need.window, usage)
    billed = _billed_in_advance(facts.advance, charge)
    if any(billed) or not is_nothing(usage):
        yield from _rest_of(charge, billed, plan.currency)


def _late(facts: Facts, billed: BilledUsage) -> tuple[Charge, BilledUsage]:
    plan, item = facts.plans[billed.plan], _item_of(facts, billed)
    usage = facts.usage[_need_again(facts, billed)]
    whole = charge_of_usage(plan, item, billed.window, usage)
    now = _closed(whole, item, _need_again(facts, billed))
    difference = replace(
        whole,
        kind="late_usage",
        description=f"{whole.description}, late",
        quantity=now.quantity - billed.quantity,
        exact_amount=now.exact_amount - billed.exact_amount,
        charged="in_arrears",
    )
    return difference, now


def charge_of_usage(plan: Plan, item: Item, window: Period, usage: Usage) -> Charge:
    """What all usage of a window costs; rounded where it is charged as it arrives, since that is what is billed."""
    exact = _rated(plan, item, usage)
    if item.charged == "in_advance":
        exact = settle(exact, plan.currency).exact
    quantity = shown_quantity(item.price, usage)
    return Charge(
        kind="usage",
        item=item.key,
        description=f"{plan.name}: {item.key}",
        quantity=quantity,
        exact_amount=exact,
        period=window,
        charged=item.charged,
        plan=plan.ref,
        order=order_of(plan, item),
        basis=OfUsage(quantity, exact),
    )


def _rated(plan: Plan, item: Item, usage: Usage) -> Fraction:
    """Raises Invalid, with the plan and the item in the path, for usage that the price cannot charge."""
    try:
        return rate(item.price, usage).amount
    except Invalid as invalid:
        raise Invalid(invalid.beneath(f"{plan.key}.{item.key}")) from None


def _gathers(invoicing: AdvanceInvoicing, rest: Charge) -> bool:
    """Whether what is not billed yet is too little for an invoice."""
    return isinstance(invoicing, Threshold) and rest.exact_amount < invoicing.amount


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


def _taken_back(
    plan: Plan, subscription: Subscription, facts: Facts, until: datetime
) -> Iterator[Charge]:
    """What was charged in advance of a window that ends at the instant it began: it has no usage of its own."""
    if subscription.usage_from is None or subscription.usage_from < until:
        return
    for item in plan.items:
        if item.charged == "in_arrears":
            continue
        lines = lines_of_window(facts.advance, item.key, plan.ref, subscription.usage_from)
        quantity, amount = sums_of(lines)
        if quantity or amount:
            yield Charge(
                kind="usage",
                item=item.key,
                description=f"{plan.name}: {item.key}",
                quantity=-quantity,
                exact_amount=-amount,
                period=lines[-1].period,
                charged=item.charged,
                plan=plan.ref,
                order=order_of(plan, item),
                basis=OfUsage(Fraction(0), Fraction(0)),
            )


def _billed_in_advance(lines: Sequence[IssuedLine], charge: Charge) -> tuple[Fraction, Fraction]:
    """The quantity and amount that lines have billed of a charge as it was used."""
    assert charge.period is not None
    return sums_of(lines_of_window(lines, charge.item, charge.plan, charge.period.start))


def lines_of_window(
    lines: Sequence[IssuedLine], item: str | None, plan: PlanRef | None, start: datetime
) -> list[Line]:
    """The lines of usage of an item in the window that begins at `start`."""
    return [
        issued.line
        for issued in lines
        if issued.line.kind == "usage"
        and (issued.line.item, issued.line.plan) == (item, plan)
        and issued.line.period is not None
        and issued.line.period.start == start
    ]


def sums_of(lines: Iterable[Line]) -> tuple[Fraction, Fraction]:
    billed = [(line.quantity, line.amount.exact) for line in lines]
    zero = Fraction(0)
    return sum((q for q, _ in billed), zero), sum((amount for _, amount in billed), zero)


def is_nothing(usage: Usage) -> bool:
    match usage:
        case Quantity(total):
            return total == 0
        case Groups(groups):
            return not any(group.quantity for group in groups)
        case Events(events):
            return not events
        case _:
            assert_never(usage)


def _shows_usage(need: Need, facts: Facts) -> Need:
    """What tells whether there was usage in a window: the usage itself, but where a level came in from before."""
    return replace(need, shape="events") if facts.meters[need.meter].carry_over else need


def _up_to(need: Need, meter: Meter, at: datetime) -> Need:
    """The part of an open window that is over. A level that is held has no part: each change of it is a forecast."""
    if meter.aggregation == "weighted_sum" or not need.window.contains(at):
        return need
    return replace(need, window=Period(need.window.start, max(at, need.window.start)))


def open_usage(
    plan: Plan, subscription: Subscription, facts: Facts, until: datetime
) -> Iterator[tuple[Item, Need]]:
    """The usage items, with the window since the last invoice unless it is empty."""
    since = subscription.usage_from
    if since is None or since >= until:
        return
    window = Period(since, until)
    for item in plan.items:
        if item.kind == "usage":
            yield item, _need(facts, item, window, pauses_in(subscription, window))


def _open_in_advance(
    plan: Plan, subscription: Subscription, facts: Facts
) -> Iterator[tuple[Item, Need]]:
    if subscription.period is None:
        return
    for item, need in open_usage(plan, subscription, facts, subscription.period.end):
        if item.charged == "in_advance":
            yield item, need


def closings_of(
    billed: Iterable[BilledUsage], plans: Mapping[PlanRef, Plan]
) -> dict[str, tuple[datetime, ...]]:
    """The ends of closed windows by their meters, oldest first."""
    ends: dict[str, set[datetime]] = {}
    for each in billed:
        item = plans[each.plan].item(each.item)
        if item is not None and item.meter is not None:
            ends.setdefault(item.meter, set()).add(each.window.end)
    return {meter: tuple(sorted(those)) for meter, those in ends.items()}


def closings_before(
    meter: Meter | None, closings: Iterable[datetime], window: Period
) -> tuple[datetime, ...]:
    """Those that matter to a window: where a level is carried over that corrections may take below 0."""
    if meter is None or not adds_up(meter):
        return ()
    return tuple(end for end in closings if end <= window.start)


def open_window(subscription: Subscription) -> Period | None:
    """The stretch whose usage the end of the current period bills; None where there is none."""
    since, period = subscription.usage_from, subscription.period
    if since is None or period is None or since >= period.end:
        return None
    return Period(since, period.end)


def pauses_in(subscription: Subscription, window: Period) -> tuple[Period, ...]:
    """The pauses that a window has a part of; one that goes on lasts to its end."""
    pauses = list(subscription.pauses)
    if subscription.paused_at is not None and subscription.paused_at < window.end:
        pauses.append(Period(subscription.paused_at, window.end))
    return tuple(p for p in pauses if p.start < window.end and window.start < p.end)


def left_out(
    subscription: Subscription, closed: Iterable[BilledUsage], window: Period
) -> tuple[Period, ...]:
    """What no invoice bills of any stretch of a subscription's time: its pauses, those of closed windows included; in
    order, none touching another.
    """
    pauses = {*pauses_in(subscription, window), *(p for each in closed for p in each.without)}
    apart: list[Period] = []
    for pause in sorted(pauses, key=lambda pause: pause.start):
        if apart and pause.start <= apart[-1].end:
            apart[-1] = Period(apart[-1].start, max(apart[-1].end, pause.end))
        else:
            apart.append(pause)
    return tuple(p for p in apart if p.start < window.end and window.start < p.end)


def _need(facts: Facts, item: Item, window: Period, without: tuple[Period, ...]) -> Need:
    meter = item.meter or ""
    closings = closings_before(facts.meters.get(meter), facts.closings.get(meter, ()), window)
    return Need(item.key, meter, window, without, usage_shape(item.price), closings)


def _need_again(facts: Facts, billed: BilledUsage) -> Need:
    return _need(facts, _item_of(facts, billed), billed.window, billed.without)


def _item_of(facts: Facts, billed: BilledUsage) -> Item:
    item = facts.plans[billed.plan].item(billed.item)
    if item is None:
        raise Corrupt(f"{billed.plan.key} has no item {billed.item} that was billed")
    return item
