"""Usage in arrears that is invoiced on account: as soon as what is not billed of it comes to the plan's threshold. The
invoice of the period shows all of its usage, and credits what was invoiced on account.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from domain.account import Facts, Need
from domain.basis import OfCredit
from domain.charges import Charge, order_of
from domain.consumed import charge_of_usage, is_nothing, lines_of_window, open_usage, sums_of
from domain.invoices import Line
from domain.metering.meter import Meter
from domain.plans import Item, Plan
from domain.subscription import Subscription


def on_account_needs(plan: Plan, subscription: Subscription, facts: Facts) -> tuple[Need, ...]:
    """The usage so far of the items that may be invoiced on account."""
    return tuple(need for _, need in _gathering(plan, subscription, facts))


def used_on_account(plan: Plan, subscription: Subscription, facts: Facts) -> list[Charge]:
    """For each item in arrears, what its usage so far comes to beyond what was invoiced on account: nothing, while all of
    that together is below the threshold.
    """
    threshold = plan.progressive_invoicing
    rests = [
        rest
        for item, need in _gathering(plan, subscription, facts)
        for rest in _rest(plan, item, need, facts)
    ]
    unbilled = sum((rest.exact_amount for rest in rests), Fraction(0))
    return rests if threshold is not None and unbilled >= threshold.amount else []


def credited(plan: Plan, subscription: Subscription, facts: Facts) -> list[Charge]:
    """What was invoiced on account of the open window, taken back line by line."""
    return [
        Charge(
            kind="usage",
            item=issued.line.item,
            description=_told(plan, item, issued.number),
            quantity=-issued.line.quantity,
            exact_amount=-issued.line.amount.exact,
            period=issued.line.period,
            charged="on_account",
            plan=plan.ref,
            order=order_of(plan, item),
            basis=OfCredit(issued.number),
            credits_invoice=issued.number,
        )
        for issued in facts.advance
        if (item := plan.item(issued.line.item or "")) is not None
        and _is_of_window(issued.line, plan, subscription)
    ]


def takes_back(line: Line) -> bool:
    """Whether a line credits what was invoiced on account."""
    return line.credits_invoice is not None


def _told(plan: Plan, item: Item, number: str | None) -> str:
    """The number is not known of an invoice that is only foreseen."""
    where = "before" if number is None else f"on {number}"
    return f"{plan.name}: {item.key}, invoiced {where}"


def _is_of_window(line: Line, plan: Plan, subscription: Subscription) -> bool:
    start = None if line.period is None else line.period.start
    is_open = line.plan == plan.ref and start == subscription.usage_from
    return is_open and line.charged == "on_account"


def _rest(plan: Plan, item: Item, need: Need, facts: Facts) -> Iterator[Charge]:
    """What a price asks for no usage at all waits for the first usage, or for the end of the window."""
    usage = facts.usage[need]
    charge = charge_of_usage(plan, item, need.window, usage)
    lines = lines_of_window(facts.advance, item.key, plan.ref, need.window.start)
    quantity, amount = sums_of(lines)
    if charge.exact_amount != amount and (lines or not is_nothing(usage)):
        yield replace(
            charge,
            quantity=charge.quantity - quantity,
            exact_amount=charge.exact_amount - amount,
            charged="on_account",
        )


def _gathering(plan: Plan, subscription: Subscription, facts: Facts) -> Iterator[tuple[Item, Need]]:
    """The items in arrears whose usage is so far what it is. A level is not used up as it is held: the period's end alone
    knows what it comes to.
    """
    if plan.progressive_invoicing is None or subscription.period is None:
        return
    for item, need in open_usage(plan, subscription, facts, subscription.period.end):
        if item.charged == "in_arrears" and not _is_level(facts.meters[need.meter]):
            yield item, need


def _is_level(meter: Meter) -> bool:
    return meter.aggregation == "weighted_sum" or meter.carry_over
