"""The entries of a timeline, carried out. One that the rules refuse is an answer, and the rest goes on."""

from datetime import datetime
from fractions import Fraction
from typing import assert_never

from domain import commands, ledger, lifecycle
from domain.account import Need
from domain.calendar import Period
from domain.charges import total_quantity
from domain.credits import GrantOrder, TopUpOrder, new_grant
from domain.documents import balance_document, check_document, refusal_document
from domain.entitlements import (
    Checked,
    best,
    check_entitlement,
    entitlement_to,
    limited_period,
)
from domain.errors import Conflict, Invalid, NotFound, Rejected
from domain.metering.events import UsageEvent
from domain.scenarios import actions
from domain.scenarios.actions import Entry
from domain.simulation.world import World
from domain.subscription import Subscription
from domain.topups import top_up_invoice


def act(world: World, entry: Entry) -> None:
    try:
        _do(world, entry)
    except Rejected as refusal:
        world.books.answers.append(refusal_document(entry.at, entry.name, refusal))


def _do(world: World, entry: Entry) -> None:
    at, action = entry.at, entry.action
    match action:
        case actions.Subscribe():
            _subscribe(world, action, at)
        case actions.Usage():
            _use(world, entry, action)
        case actions.Grant():
            _grant(world, action.order, at)
        case actions.TopUp():
            _top_up(world, action.order, at)
        case actions.Check():
            _check(world, action, at)
        case actions.Balance():
            _balance(world, action, at)
        case actions.Pay():
            customer = world.books.customer(action.customer)
            world.collecting.act(customer.id, at, action.new_method)
        case _:
            _command(world, entry, action)


def _command(world: World, entry: Entry, action: actions.OfSubscription) -> None:
    subscription = world.books.subscription(action.subscription)
    request = f"{entry.name}:{entry.number}"
    world.carry_out(subscription.id, _command_of(world, action), entry.at, request)


def _command_of(world: World, action: actions.OfSubscription) -> commands.Command:
    match action:
        case actions.ChangePlan():
            return commands.ChangePlan(world.books.plan(action.plan).ref, action.effective)
        case actions.SetQuantity():
            return commands.SetQuantity(action.item, action.quantity)
        case actions.AddOn():
            return commands.ChargeOnce(
                action.key, action.description, action.amount, action.quantity
            )
        case actions.Cancel():
            return commands.Cancel(action.effective, action.unused)
        case actions.Pause():
            return commands.Pause()
        case actions.Resume():
            return commands.Resume()
        case _:
            assert_never(action)


def _subscribe(world: World, action: actions.Subscribe, at: datetime) -> None:
    books = world.books
    if action.key in books.subscriptions:
        raise Conflict(f"there is a subscription {action.key} already")
    known = world.scenario.coupons
    for coupon in action.coupons:
        if coupon not in known:
            raise NotFound(f"there is no coupon {coupon}")
    books.subscriptions[action.key] = lifecycle.new_subscription(
        id=action.key,
        key=action.key,
        customer=books.customer(action.customer),
        plan=books.plan(action.plan),
        at=at,
        quantities=action.quantities,
        coupons=[known[coupon] for coupon in action.coupons],
    )


def _use(world: World, entry: Entry, action: actions.Usage) -> None:
    books = world.books
    customer = books.customer(action.customer)
    if action.subscription is not None:
        named = books.subscription(action.subscription)
        if named.customer != customer.id:
            raise NotFound(f"{customer.key} has no subscription {named.key}")
    event = UsageEvent(
        id=_event_id(entry, action),
        event_name=action.event_name,
        customer=customer.id,
        time=action.time or entry.at,
        properties=action.properties,
        subscription=action.subscription,
        arrival=books.usage.arrivals,
    )
    meters = books.usage.accept(event)
    if meters is not None:
        books.reach(event, meters)
        world.used(event.customer, event.subscription, event.id, entry.at)


def _event_id(entry: Entry, action: actions.Usage) -> str:
    """The id that the file gives, or one of the entry's place in it."""
    return action.id or f"event:{entry.number}:{entry.repetition}"


def _grant(world: World, order: GrantOrder, at: datetime) -> None:
    customer = world.books.customer(order.customer)
    _require_new_key(world, order.key)
    grant = new_grant(
        order, id=order.key, customer=customer.id, currency=world.scenario.currency, at=at
    )
    world.books.add_grant(grant)
    world.books.post(ledger.granted(grant))


def _top_up(world: World, order: TopUpOrder, at: datetime) -> None:
    customer = world.books.customer(order.customer)
    _require_new_key(world, order.key)
    name = f"topup:{order.key}"
    issued = top_up_invoice(order, customer, world.scenario.currency, at, name)
    world.collecting.expect(name, order)
    world.books.issue(issued.invoice)
    world.books.post(issued.transactions)


def _require_new_key(world: World, key: str) -> None:
    if key in world.books.grants or f"topup:{key}" in world.books.invoices:
        raise Conflict(f"there is a grant {key} already")


def _check(world: World, action: actions.Check, at: datetime) -> None:
    customer = world.books.customer(action.customer)
    if action.feature not in world.scenario.features:
        raise NotFound(f"there is no feature {action.feature}")
    if action.quantity < 0:
        raise Invalid.at("quantity", "must not be negative")
    answers = [
        answer
        for subscription in world.books.subscriptions.values()
        if subscription.customer == customer.id
        for answer in _checked(world, subscription, action, at)
    ]
    document = check_document(at, customer.key, action.feature, best(answers))
    world.books.answers.append(document)


def _checked(
    world: World, subscription: Subscription, action: actions.Check, at: datetime
) -> list[Checked]:
    """What one subscription answers: nothing where its plan does not have the feature."""
    plan = world.scenario.plans[subscription.plan.key]
    entitlement = entitlement_to(subscription, plan, action.feature)
    if entitlement is None:
        return []
    period = limited_period(subscription, at)
    used = _used(world, subscription, action.feature, period)
    return [check_entitlement(entitlement, used, action.quantity, period)]


def _used(world: World, subscription: Subscription, feature: str, period: Period) -> Fraction:
    meter = world.scenario.features[feature].meter
    if meter is None:
        return Fraction(0)
    need = Need(feature, meter, period)
    used = world.books.usage.used(
        subscription.customer, subscription.id, (need,), subscription.timezone
    )
    return total_quantity(used[need])


def _balance(world: World, action: actions.Balance, at: datetime) -> None:
    books = world.books
    customer = books.customer(action.customer)
    document = balance_document(
        at,
        customer.key,
        action.currency or world.scenario.currency,
        [b for b in books.grants.values() if b.grant.customer == customer.id],
        [n.remaining for n in books.credit_notes.values() if n.customer == customer.id],
    )
    books.answers.append(document)
