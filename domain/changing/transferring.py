"""A subscription that goes to another customer."""

from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.calendar import Cycle
from domain.changing import cancelling
from domain.changing.standing import is_in_period, is_within_period
from domain.commands import Cancel, Transfer
from domain.errors import Conflict
from domain.periods import current_period
from domain.subscription import Subscription


def check_transfer(subscription: Subscription, command: Transfer) -> None:
    """Raise Conflict where it has nowhere to go."""
    if command.customer == subscription.customer:
        raise Conflict(f"{subscription.key} is that customer's already")


def transfer(
    facts: Facts, subscription: Subscription, command: Transfer, at: datetime, request: str
) -> Outcome:
    """End this life as an immediate cancel does, and have the other begin where it was.

    Raises Conflict at the very end of a period for which something is planned: that would come a period late. So it would
    at the end of a trial that is the last of it.
    """
    plans_ahead = subscription.next_plan or subscription.cancels_at_period_end
    plans_ahead = plans_ahead or any(change.periods for change in subscription.schedule)
    if subscription.status == "trialing" and _ends_with_trial(subscription, at):
        raise Conflict(f"{subscription.key} ends at this instant, with its trial")
    if is_in_period(subscription) and not is_within_period(subscription, at) and plans_ahead:
        raise Conflict(
            f"the period of {subscription.key} ends at this instant, with a change planned for it"
        )
    over = cancelling.cancel(
        facts, subscription, Cancel("immediately", command.unused), at, request
    )
    old = replace(over.subscription, transferred_to=command.to, schedule=())
    return replace(over, subscription=old, begins=(_going_on(subscription, command, at),))


def _ends_with_trial(subscription: Subscription, at: datetime) -> bool:
    end = subscription.trial_end
    return subscription.cancels_at_period_end and end is not None and end <= at


def _going_on(subscription: Subscription, command: Transfer, at: datetime) -> Subscription:
    """The new customer's: what is planned goes along; coupons, grants and what was billed stay behind."""
    going = replace(
        subscription,
        id=command.to,
        key=command.key,
        customer=command.customer,
        coupons=(),
        grants=(),
        request_ids=(),
        created_at=at,
        payer=command.payer,
        customer_key=command.customer_key,
        past_due=(),
        transferred_from=subscription.id,
    )
    if subscription.status == "scheduled":
        return going
    going = replace(going, status="scheduled", started_at=at)
    return going if subscription.status == "trialing" else _in_rest_of_period(going, at)


def _in_rest_of_period(going: Subscription, at: datetime) -> Subscription:
    """In what is left of the period: the later ones begin where they would have begun."""
    old = going.cycle
    anchor = old.started_at if old.anchor == "anniversary" else old.anchor
    cycle = Cycle(at, old.interval, anchor, old.timezone)
    return replace(
        going,
        cycle=cycle,
        period=cycle.period(0),
        period_index=0,
        usage_from=None,
        charged_from=None,
        trial_end=None,
        quantity_changes=(),
        one_off_charges=(),
        add_ons=going.living_add_ons,
        pauses=(),
        gathers_until=None,
        opened=None,
        rest_since=_period_since(going, at),
    )


def _period_since(going: Subscription, at: datetime) -> datetime:
    """When the period began that is handed on: at the very end of one, the next begins with the transfer."""
    period = current_period(going)
    return (going.rest_since or period.start) if at < period.end else at
