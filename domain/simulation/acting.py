"""The entries of a timeline, carried out. One that the rules refuse is an answer, and the rest goes on."""

from dataclasses import replace
from datetime import datetime

from domain import commands, ledger, lifecycle
from domain.account import Need
from domain.add_ons import require_known_features
from domain.allowances import check_allowance
from domain.bonuses import Bonus, best_bonus, bonus_key, earns
from domain.changing.coupons import check_redeemable
from domain.charges import total_quantity
from domain.consumed import closings_before
from domain.credits import GrantOrder, TopUpOrder, check_payable, in_known_unit, new_grant
from domain.customers import Coupon, Customer
from domain.documents import balance_document, check_document, refusal_document
from domain.entitlements import Claim, Standing, Use, allowance, entitled, standing
from domain.errors import Conflict, Corrupt, Invalid, NotFound, Rejected
from domain.metering.events import UsageEvent
from domain.metering.voiding import Void
from domain.money import Money
from domain.phases import Phase, check_plans, scheduled
from domain.plans import Feature
from domain.scenarios import actions
from domain.scenarios.actions import Entry
from domain.scenarios.changing import Change, Override, Redeem, ToPlan, TransferTo
from domain.simulation.world import World
from domain.subscription import Subscription
from domain.timing import timed
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
        case actions.VoidUsage():
            _void(world, action, at)
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
            if action.new_method:
                world.books.with_new_method.add(customer.key)
            world.collecting.act(customer.id, at, action.new_method)
        case _:
            _command(world, entry, action)


def _command(world: World, entry: Entry, action: Change) -> None:
    subscription = world.books.subscription(action.subscription)
    request = f"{entry.name}:{entry.number}"
    world.carry_out(subscription.id, _command_of(world, action), entry.at, request)


def _command_of(world: World, action: Change) -> commands.Command:
    match action.what:
        case ToPlan(key, overrides, quantities):
            plan = world.books.plan_with(key, overrides)
            change: commands.Change = commands.ChangePlan(
                plan.ref, "immediately", quantities=quantities
            )
        case Override(overrides):
            on = world.books.subscription(action.subscription).plan.key
            change = commands.ChangePlan(world.books.plan_with(on, overrides).ref, "immediately")
        case Redeem(coupon):
            change = commands.AddCoupon(_coupon(world, coupon))
        case commands.AddAddOn() as added:
            require_known_features(added, world.scenario.features)
            change = added
        case TransferTo(customer, key, unused):
            to = world.books.customer(customer)
            _require_free(world, key)
            whose = to.key if to.payer else None
            return commands.Transfer(key, to.id, key, unused, to.payer, whose)
        case (
            commands.UndoCancel()
            | commands.SetTrialEnd()
            | commands.Transfer()
            | commands.NotePayment()
            | commands.Schedule()
            | commands.Withdraw()
        ):
            return action.what
        case _:
            change = action.what
    return timed(change, action.effective, action.id)


def _subscribe(world: World, action: actions.Subscribe, at: datetime) -> None:
    books = world.books
    _require_free(world, action.key)
    starts_at = action.starts_at or at
    plans = [books.plan_with(each.plan, each.overrides) for each in action.phases]
    phases = [
        Phase(plan.ref, each.periods, each.quantities)
        for plan, each in zip(plans, action.phases, strict=True)
    ]
    coupons = [_coupon(world, coupon) for coupon in action.coupons]
    wanted = lifecycle.new_subscription(
        id=action.key,
        key=action.key,
        customer=books.customer(action.customer),
        plan=plans[0],
        at=starts_at,
        quantities=phases[0].quantities,
        coupons=coupons,
        trial_end=starts_at if action.without_trial else action.trial_end,
        now=at,
        pools_usage=action.pools_usage,
    )
    check_plans(plans, phases)
    schedule = scheduled(phases, starts_at, action.ends_at)
    check_redeemable(coupons, books.redeemed(coupons, wanted.customer), at)
    books.redeem(action.coupons, wanted.customer)
    books.keep_subscription(replace(wanted, schedule=schedule))


def _require_free(world: World, key: str) -> None:
    if key in world.books.subscriptions:
        raise Conflict(f"there is a subscription {key} already")


def _coupon(world: World, key: str) -> Coupon:
    coupon = world.scenario.coupons.get(key)
    if coupon is None:
        raise NotFound(f"there is no coupon {key}")
    return coupon


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
        world.used(event, event.id, entry.at)


def _void(world: World, action: actions.VoidUsage, at: datetime) -> None:
    """A void is an event too: it reaches the windows that the voided one was in, and what it changes is charged."""
    void = Void(f"void:{action.id}", action.reason, at)
    voided = world.books.usage.void(action.id, void)
    if voided is not None:
        event, meters = voided
        world.books.reach(event, meters)
        world.used(event, f"{void.id}\0", at)  # no id of an event has a NUL: the name is its own


def _event_id(entry: Entry, action: actions.Usage) -> str:
    """The id that the file gives, or one of the entry's place in it."""
    return action.id or f"event:{entry.number}:{entry.repetition}"


def _grant(world: World, order: GrantOrder, at: datetime) -> None:
    customer = world.books.customer(order.customer)
    _require_new_key(world, order.key)
    order = in_known_unit(order, world.scenario.units.get(order.unit or ""))
    grant = new_grant(
        order, id=order.key, customer=customer.id, currency=world.scenario.currency, at=at
    )
    world.books.add_grant(grant)
    world.books.post(ledger.granted(grant))


def _top_up(world: World, order: TopUpOrder, at: datetime) -> None:
    customer = world.books.customer(order.customer)
    _require_new_key(world, order.key)
    name = f"topup:{order.key}"
    order = in_known_unit(order, world.scenario.units.get(order.unit or ""))
    check_payable(order.currency or world.scenario.currency, world.books.currencies_of(customer.id))
    issued = top_up_invoice(order, customer, world.scenario.currency, at, name)
    bonus = _bonus(world, order, customer, issued.invoice.total, at)
    world.collecting.expect(name, order, bonus)
    world.books.issue(issued.invoice)
    world.books.post(issued.transactions)


def _bonus(
    world: World, order: TopUpOrder, customer: Customer, paid: Money, at: datetime
) -> Bonus | None:
    """What the customer's plans promise for it. Raises Conflict where something else has its key."""
    books, key = world.books, bonus_key(order.key)
    living = books.subscriptions.values()
    of = [each.plan for each in living if earns(each, customer.id, paid.currency)]
    plans = [books.version(plan) for plan in of]
    bonus = best_bonus(plans, paid, key, at, customer.timezone)
    if bonus is not None:
        _require_new_key(world, key)
    return bonus


def _require_new_key(world: World, key: str) -> None:
    is_taken = key in world.books.grants or world.collecting.is_promised(key)
    if is_taken or f"topup:{key}" in world.books.invoices:
        raise Conflict(f"there is a grant {key} already")


def _check(world: World, action: actions.Check, at: datetime) -> None:
    customer = world.books.customer(action.customer)
    if action.feature not in world.scenario.features:
        raise NotFound(f"there is no feature {action.feature}")
    if action.quantity < 0:
        raise Invalid.at("quantity", "must not be negative")
    feature = world.scenario.features[action.feature]
    standings = [
        replace(stands, is_own=subscription.customer == customer.id)
        for subscription in world.books.subscriptions.values()
        if subscription.customer == customer.id
        or (subscription.pools_usage and subscription.customer == customer.parent)
        if (stands := _standing(world, subscription, feature)) is not None
    ]
    has = entitled(feature, standings, None, at)
    allowed = allowance(feature, has, [_used_of(world, claim, feature) for claim in has.claims])
    checked = check_allowance(allowed, action.quantity)
    world.books.answers.append(check_document(at, customer.key, feature.key, checked))


def _standing(world: World, subscription: Subscription, feature: Feature) -> Standing | None:
    return standing(subscription, world.books.version(subscription.plan), feature.key)


def _used_of(world: World, claim: Claim, feature: Feature) -> Use:
    """What was used in the windows of a claim."""
    books, meter, subscription = world.books, feature.meter, claim.subscription
    if meter is None or subscription is None:
        raise Corrupt(f"{feature.key} has a limit of nothing")
    measured = world.scenario.meters[meter]
    closings = books.closings(subscription).get(meter, ())
    needs = [
        Need(feature.key, meter, window, closings=closings_before(measured, closings, window))
        for window in claim.measured
    ]
    used = books.used(subscription, needs)
    return Use.of([total_quantity(used[need]) for need in needs])


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
