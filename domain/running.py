"""What runs up: usage that no invoice has billed yet, and what it would come to on one."""

from collections.abc import Iterable
from datetime import datetime

from domain.account import Facts, Need
from domain.consumed import late_needs, usage_needs, used_late, used_up_to
from domain.invoices import Line
from domain.invoicing import Bill, work_out
from domain.money import Money, greatest, total
from domain.on_account import credited
from domain.subscription import Subscription

_OF_USAGE = ("usage", "late_usage")


def running_needs(subscription: Subscription, facts: Facts) -> tuple[Need, ...]:
    """The usage of the period since the last invoice, and what came late for closed ones."""
    plan, period = facts.plans[subscription.plan], subscription.period
    of_period = usage_needs(plan, subscription, facts, period.end) if period else ()
    return tuple(dict.fromkeys((*of_period, *late_needs(facts))))


def running_up(facts: Facts, subscription: Subscription, at: datetime) -> Money:
    """What usage that is not billed would come to on an invoice at an instant: with coupons and taxes, before any credit;
    never below 0. A level counts as if it were held to the period's end: so nothing more runs up by time alone. What a
    commitment adds and what recurring items cost is no usage. Of a life that is over only what came late runs up.
    """
    plan, period = facts.plans[subscription.plan], subscription.period
    if period is None:
        return Money(0, subscription.currency)
    used = used_up_to(plan, subscription, facts, period.end)
    credits = credited(plan, subscription, facts)
    worked = work_out(
        Bill(
            name=f"running:{subscription.id}",
            subscription=subscription.id,
            customer=facts.customer,
            currency=subscription.currency,
            at=at,
            billing_period=at if subscription.is_over else period.start,
            charges=(*used.charges, *credits, *used_late(facts).charges),
            coupons=subscription.coupons,
        )
    )
    return _owed(worked.taxed.lines, subscription.currency)


def billed_usage(lines: Iterable[Line], currency: str) -> Money:
    """What an invoice's lines bill of usage, whatever has paid it: it runs up no longer. Never below 0."""
    of_usage = [line for line in lines if line.kind in _OF_USAGE]
    promotional = total([line.credits for line in of_usage], currency)
    return greatest(_owed(of_usage, currency) + promotional, Money(0, currency))


def _owed(lines: Iterable[Line], currency: str) -> Money:
    owed = total([line.owed for line in lines], currency)
    return greatest(owed, Money(0, currency))
