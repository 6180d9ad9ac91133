"""Usage that arrives: what is charged as it is used, at once or gathered to the end of a day, and what comes after a
final invoice.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain import lifecycle
from domain.account import Facts, Outcome
from domain.plans import AdvanceInvoicing, Plan
from domain.reading import written
from domain.subscription import Subscription
from domain.timezones import instant_of, local_time


def kind_of_arrival(subscription: Subscription) -> lifecycle.Step:
    """What `lifecycle.needs` calls the decision about usage that has arrived."""
    return "late_usage" if subscription.is_over else "advance_usage"


def usage_arrived(facts: Facts, subscription: Subscription, at: datetime, event: str) -> Outcome:
    """Charge what an event brought: at once where each event is invoiced. Where a day is, its end is waited for.
    After a final invoice it is late usage, on an invoice of its own. `event` names the invoice.
    """
    if subscription.is_over:
        name = f"invoice:{subscription.id}:late:{event}"
        return lifecycle.bill_late_usage(facts, subscription, at, name)
    outcome = Outcome(subscription)
    ways = ways_of_charging(facts.plans[subscription.plan])
    if "each" in ways:
        name = f"invoice:{subscription.id}:usage:{event}"
        outcome = lifecycle.charge_usage(facts, subscription, at, name, "each")
    if "day" in ways:
        waiting = replace(outcome.subscription, gathers_until=_end_of_day(at, subscription))
        outcome = replace(outcome, subscription=waiting)
    return outcome


def day_ended(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Charge what was gathered in a day, unless the day ends with the period, whose invoice has it all."""
    rested = replace(subscription, gathers_until=None)
    if subscription.period is None or at >= subscription.period.end:
        return Outcome(rested)
    name = f"invoice:{subscription.id}:usage:{written(at)}"
    return lifecycle.charge_usage(facts, rested, at, name, "day")


def ways_of_charging(plan: Plan) -> frozenset[AdvanceInvoicing]:
    """How a plan invoices the usage that it charges as it arrives: not at all, where it charges none so."""
    return frozenset(
        item.advance_invoicing
        for item in plan.items
        if item.kind == "usage" and item.charged == "in_advance"
    )


def _end_of_day(at: datetime, subscription: Subscription) -> datetime:
    """The next midnight where the subscription is."""
    today = local_time(at, subscription.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    return instant_of(today + timedelta(days=1), subscription.timezone)
