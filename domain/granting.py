"""What a plan's credits bring to a life: granted with a period, carried over into the next one, prorated where a change of
plan cuts a period short. They are promotional, in the plan's currency.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from domain import ledger
from domain.account import Facts, Outcome
from domain.calendar import add_interval
from domain.charges import Stretch
from domain.credits import NEVER, Grant, GrantBalance, in_burn_order
from domain.ledger import Transaction
from domain.money import Money, greatest, least, settle, total
from domain.periods import all_of_period, current_period, watching_without
from domain.plans import Plan, PlanCredit, Rollover
from domain.subscription import Subscription


def plan_credits(
    subscription: Subscription, plan: Plan, at: datetime, invoice: str, is_first: bool
) -> list[Grant]:
    """What the plan grants at the start of the current period, named after the invoice that charges it. Of a period that
    began for another life: of every period's credits the share that is charged, since whoever had it was given the rest.
    """
    start, is_rest = current_period(subscription).start, subscription.rest_since is not None
    share = all_of_period(subscription).share(plan) if is_rest else Fraction(1)
    grants = [
        _grant(subscription, plan, credit, share, start, at, invoice)
        for credit in plan.credits
        if credit.every_period or (is_first and not is_rest)
    ]
    return _of_use(grants, at) if is_rest else grants


def credits_for_rest(
    subscription: Subscription, plan: Plan, rest: Stretch, at: datetime, invoice: str
) -> list[Grant]:
    """What the plan that a subscription has changed to grants for the rest of its period, of credits that are prorated.
    They end with those of the whole period.
    """
    grants = [
        _grant(subscription, plan, credit, rest.share(plan), at, at, invoice)
        for credit in plan.credits
        if credit.on_plan_change == "prorate"
    ]
    return _of_use(grants, at)


def credits_taken_back(
    facts: Facts, subscription: Subscription, plan: Plan, rest: Stretch, invoice: str
) -> tuple[Transaction, ...]:
    """What the plan that a subscription leaves takes back of its credits, for the rest of the period: of each that is
    prorated its share, at most what is left.
    """
    return tuple(
        posting
        for credit in plan.credits
        if credit.on_plan_change == "prorate"
        for posting in _taken_back(
            _of_this_stretch(facts.grants, subscription, credit, rest.part.start),
            settle(credit.amount * rest.share(plan), plan.currency),
            rest.part.start,
            _step(invoice),
        )
    )


def without(facts: Facts, taken_back: Sequence[Transaction]) -> Facts:
    """The facts, of which that has been taken back already."""
    return replace(facts, grants=ledger.left_after(facts.grants, taken_back))


def after_taking_back(taken_back: Sequence[Transaction], outcome: Outcome) -> Outcome:
    """An outcome that was decided on what that has left."""
    return replace(outcome, transactions=(*taken_back, *outcome.transactions))


def rolled_over(
    facts: Facts, outcome: Outcome, plan: Plan, at: datetime, is_first: bool = False
) -> Outcome:
    """A period has begun with new grants and its invoice has burned: what is left of earlier grants of a credit that rolls
    over goes into the new one. With the first grants of a plan, nothing is topped up.
    """
    for credit in plan.credits:
        new = next((grant for grant in outcome.grants if grant.key == credit.key), None)
        if credit.rollover is not None and new is not None:
            rollover = replace(credit.rollover, minimum=None) if is_first else credit.rollover
            outcome = _rolled_over(facts, outcome, new, rollover, at)
    return outcome


def _rolled_over(
    facts: Facts, outcome: Outcome, new: Grant, rollover: Rollover, at: datetime
) -> Outcome:
    living, currency = outcome.subscription, new.amount.currency
    earlier = [
        balance
        for balance in in_burn_order(ledger.left_after(facts.grants, outcome.transactions))
        if balance.grant.subscription == living.id
        and balance.grant.key == new.key
        and not balance.grant.has_expired(new.effective_at)
    ]
    left = total([balance.remaining for balance in earlier], currency)
    kept = left if rollover.maximum is None else least(left, settle(rollover.maximum, currency))
    missing = settle(rollover.minimum or Fraction(0), currency) - left
    raised = replace(new, amount=new.amount + greatest(missing, Money(0, currency)))
    ended = tuple(balance.grant.id for balance in earlier)
    return replace(
        outcome,
        subscription=watching_without(living, ended),
        grants=tuple(raised if grant == new else grant for grant in outcome.grants),
        transactions=(
            *_granted_as(raised, outcome.transactions),
            *_carried(earlier, raised, kept, at),
        ),
        ends=(*outcome.ends, *ended),
    )


def _granted_as(grant: Grant, transactions: Iterable[Transaction]) -> Iterator[Transaction]:
    (granted,) = ledger.granted(grant)
    for transaction in transactions:
        yield granted if transaction.name == granted.name else transaction


def _carried(
    earlier: Iterable[GrantBalance], new: Grant, kept: Money, at: datetime
) -> Iterator[Transaction]:
    """The first to burn is kept first; of what is not kept, nothing is left."""
    for balance in earlier:
        carried = least(balance.remaining, kept)
        yield from ledger.transferred(balance.grant, new, carried, at)
        yield from ledger.expired(balance.grant, balance.remaining - carried, at)
        kept -= carried


def _of_this_stretch(
    grants: Iterable[GrantBalance], subscription: Subscription, credit: PlanCredit, at: datetime
) -> list[GrantBalance]:
    """What is left of the grants of a credit since the subscription is charged on this plan in its period."""
    since = subscription.charged_from
    return [
        balance
        for balance in grants
        if since is not None
        and balance.grant.subscription == subscription.id
        and balance.grant.key == credit.key
        and balance.grant.effective_at >= since
        and balance.grant.is_live(at)
    ]


def _taken_back(
    balances: Iterable[GrantBalance], amount: Money, at: datetime, step: str
) -> Iterator[Transaction]:
    for balance in balances:
        taken = least(amount, balance.remaining)
        yield from ledger.taken_back(balance.grant, taken, at, step)
        amount -= taken


def _grant(
    subscription: Subscription,
    plan: Plan,
    credit: PlanCredit,
    share: Fraction,
    effective_at: datetime,
    at: datetime,
    invoice: str,
) -> Grant:
    """A share of what a credit is for a period; it ends as if it had begun with that."""
    expires_at = None
    if credit.expires_after is not None:
        start = subscription.rest_since or current_period(subscription).start
        expires_at = add_interval(start, credit.expires_after, subscription.timezone)
    return Grant(
        id=f"credit:{_step(invoice)}:{credit.key}",
        key=credit.key,
        customer=subscription.billed_to,
        kind="promotional",
        amount=settle(credit.amount * share, plan.currency),
        priority=credit.priority,
        granted_at=at,
        effective_at=effective_at,
        expires_at=expires_at,
        items=credit.items,
        subscription=subscription.id,
    )


def _of_use(shares: Sequence[Grant], at: datetime) -> list[Grant]:
    """Without those that come to nothing, or would be over already."""
    return [each for each in shares if each.amount.minor and (each.expires_at or NEVER) > at]


def _step(invoice: str) -> str:
    return invoice.removeprefix("invoice:")
