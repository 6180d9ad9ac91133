"""Usage that arrives: what is charged as it is used, at once or gathered to the end of a day, and what comes after a
final invoice.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain import lifecycle
from domain.account import Facts, Outcome
from domain.consumed import used_after_day, used_ahead, used_in_advance
from domain.reading import written
from domain.subscription import Subscription
from domain.timezones import instant_of, local_time


def kind_of_arrival(subscription: Subscription) -> lifecycle.Step:
    """What `lifecycle.needs` calls the decision about usage that has arrived."""
    return "late_usage" if subscription.is_over else "advance_usage"


def usage_arrived(facts: Facts, subscription: Subscription, at: datetime, event: str) -> Outcome:
    """Charge what an event brought: at once where each event is invoiced, or where it is enough. Where a day is, its
    end is waited for. After a final invoice it is late usage, on an invoice of its own. `event` names the invoice.
    """
    if subscription.is_over:
        name = f"invoice:{subscription.id}:late:{event}"
        return lifecycle.bill_late_usage(facts, subscription, at, name)
    if subscription.status == "incomplete":  # its first payment opens the window that charges it
        return Outcome(subscription)
    outcome = Outcome(subscription)
    occasions = facts.plans[subscription.plan].occasions
    if "arrival" in occasions:
        name = f"invoice:{subscription.id}:usage:{event}"
        outcome = lifecycle.charge_usage(facts, subscription, at, name)
    return _gathering(outcome, at) if "day" in occasions else outcome


def window_opened(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Charge what had arrived before its window began: timed at that very instant, or ahead. It is the first usage of
    its day where days are gathered. Without a window that has just begun, it changes nothing.
    """
    if subscription.opened is None:
        return Outcome(subscription)
    name = f"{subscription.opened.by}:usage"
    plan, begun = facts.plans[subscription.plan], replace(subscription, opened=None)
    items = used_ahead(plan, begun, facts)
    outcome = lifecycle.charge_usage(facts, begun, at, name, items=items)
    is_gathered = used_in_advance(plan, begun, facts, "day", items=items)
    return _gathering(outcome, at) if is_gathered else outcome


def day_ended(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Charge the usage before the end of a day in which some was gathered, unless the day ends with the period, whose
    invoice has it all. What is timed later is gathered on.
    """
    rested = replace(subscription, gathers_until=None)
    if subscription.period is None or at >= subscription.period.end:
        return Outcome(rested)
    name = f"invoice:{subscription.id}:day:{written(at)}"
    outcome = lifecycle.charge_usage(facts, rested, at, name, "day", until=at)
    goes_on = used_after_day(facts.plans[subscription.plan], rested, facts, at)
    return _gathering(outcome, at) if goes_on else outcome


def _gathering(outcome: Outcome, at: datetime) -> Outcome:
    """Waiting for the next midnight where the subscription is: for the present one, where that is still to end a day."""
    subscription = outcome.subscription
    if subscription.gathers_until is not None:
        return outcome
    today = local_time(at, subscription.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = instant_of(today + timedelta(days=1), subscription.timezone)
    return replace(outcome, subscription=replace(subscription, gathers_until=midnight))
