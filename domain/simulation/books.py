"""The books of a simulated world: what decisions brought, and the facts that the next ones rest on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from domain import ledger, lifecycle
from domain.account import (
    BilledUsage,
    CreditNoteBalance,
    Facts,
    IssuedLine,
    Need,
    Outcome,
    Refund,
)
from domain.calendar import Period
from domain.catalog import read_plan, require_known
from domain.consumed import closings_of
from domain.credits import Grant, GrantBalance
from domain.customers import Coupon, Customer, Redeemed
from domain.dunning import Collection, begin_collection, closed
from domain.errors import Corrupt, NotFound
from domain.invoices import CreditNote, Invoice, Line
from domain.ledger import Transaction
from domain.metering.events import UsageEvent
from domain.metering.meter import adds_up
from domain.money import Money
from domain.overrides import own_plan
from domain.payments import Payment
from domain.plans import Plan, PlanRef
from domain.pricing.usage import Usage
from domain.redeeming import redeeming
from domain.scenarios.scenario import Scenario
from domain.simulation.usage_log import UsageLog
from domain.subscription import Subscription


@dataclass(slots=True)
class Window:
    """A closed window as it was billed last, and whether usage has reached it since it was closed."""

    billed: BilledUsage
    is_reached: bool = False


@dataclass(slots=True)
class Books:
    """Everything by the key it is known by, in the order in which it came about. `due_attempts` and `standing` are
    the collections to be attempted and the grants that have something left. `is_changed` tells whether what is due may be
    another by now.
    """

    scenario: Scenario
    usage: UsageLog
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    due_attempts: dict[str, Collection] = field(default_factory=dict)
    credit_notes: dict[str, CreditNote] = field(default_factory=dict)
    grants: dict[str, GrantBalance] = field(default_factory=dict)
    standing: dict[str, GrantBalance] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    answers: list[dict[str, object]] = field(default_factory=list)
    windows: dict[str, dict[tuple[str, Period], Window]] = field(default_factory=dict)
    advance: dict[str, list[tuple[str, Line]]] = field(default_factory=dict)
    refunded: dict[str, Money] = field(default_factory=dict)
    plans: dict[PlanRef, Plan] = field(init=False)
    with_new_method: set[str] = field(default_factory=set)
    redemptions: dict[str, list[str]] = field(
        default_factory=dict
    )  # customers, by the coupon's key
    is_changed: bool = True

    has_levels: bool = field(init=False)

    def __post_init__(self) -> None:
        self.has_levels = any(map(adds_up, self.scenario.meters.values()))
        self.plans = {plan.ref: plan for plan in self.scenario.plans.values()}

    def customer(self, key: str) -> Customer:
        actor = self.scenario.actors.get(key)
        if actor is None:
            raise NotFound(f"there is no customer {key}")
        if key in self.with_new_method:
            return replace(actor.customer, has_payment_method=True)
        return actor.customer

    def plan(self, key: str) -> Plan:
        plan = self.scenario.plans.get(key)
        if plan is None:
            raise NotFound(f"there is no plan {key}")
        return plan

    def version(self, ref: PlanRef) -> Plan:
        """What a subscription is on: a plan of the file, or a version of it that is its own."""
        return self.plans[ref]

    def plan_with(self, key: str, overrides: Mapping[str, object]) -> Plan:
        """A plan, or with overrides a new version of it that is one subscription's own."""
        plan = self.plan(key)
        if not overrides:
            return plan
        version = len(self.plans) - len(self.scenario.plans) + 2
        own = own_plan(self.scenario.documents[key], overrides, partial(self._read_own, version))
        self.plans[own.plan.ref] = own.plan
        return own.plan

    def _read_own(self, version: int, document: object) -> Plan:
        plan = read_plan(document, version)
        require_known(plan, self.scenario.meters, self.scenario.features)
        return plan

    def subscription(self, key: str) -> Subscription:
        subscription = self.subscriptions.get(key)
        if subscription is None:
            raise NotFound(f"there is no subscription {key}")
        return subscription

    def currencies_of(self, customer: str) -> frozenset[str]:
        """Of the subscriptions that live and that it has or pays for, and of the grants that it was given."""
        living = (each for each in self.subscriptions.values() if not each.is_over)
        of_those = (s.currency for s in living if customer in (s.customer, s.billed_to))
        grants = (balance.grant for balance in self.grants.values())
        return frozenset(
            (*of_those, *(g.amount.currency for g in grants if g.customer == customer))
        )

    def closings(self, subscription: Subscription) -> dict[str, tuple[datetime, ...]]:
        """Of the meters of which it matters."""
        windows = self.windows.get(subscription.id, {}).values() if self.has_levels else ()
        return closings_of((window.billed for window in windows), self.plans)

    def facts(self, subscription: Subscription, step: lifecycle.Step, at: datetime) -> Facts:
        """The facts that the decision about a step rests on, usage included."""
        facts = Facts(
            customer=self.customer(subscription.billed_to),
            plans=self.plans,
            meters=self.scenario.meters,
            closings=self.closings(subscription),
            billed=tuple(self._reached(subscription)),
            advance=tuple(self._issued_in_advance(subscription)),
            grants=tuple(self._grants(subscription)),
            credit_notes=tuple(self._credit_notes(subscription)),
            redeemed=self.redeemed(redeeming(subscription, step), subscription.customer),
        )
        needs = lifecycle.needs(subscription, step, facts, at)
        used = self.used(subscription, needs)
        return replace(facts, usage=used)

    def used(self, subscription: Subscription, needs: Sequence[Need]) -> dict[Need, Usage]:
        """The usage of a subscription's customer, and of the children where it pools theirs."""
        pool = self.pool_of(subscription)
        return self.usage.used(pool, subscription.id, needs, subscription.timezone)

    def pool_of(self, subscription: Subscription) -> tuple[str, ...]:
        """The customers whose events a subscription measures."""
        if not subscription.pools_usage:
            return (subscription.customer,)
        family = [actor.customer for actor in self.scenario.actors.values()]
        children = [each.id for each in family if each.parent == subscription.customer]
        return (subscription.customer, *children)

    def record(self, outcome: Outcome, at: datetime) -> None:
        """Keep what a decision brought, and set going what it owes and is owed."""
        subscription = outcome.subscription
        self.keep_subscription(subscription)
        for begun in outcome.begins:
            self.subscriptions.setdefault(begun.id, begun)
        for grant in outcome.grants:
            self.add_grant(grant)
        self.post(outcome.transactions)
        for invoice in outcome.invoices:
            self.issue(invoice)
        for note in outcome.credit_notes:
            number = f"CN-{len(self.credit_notes) + 1:06}"
            self.credit_notes[note.name] = replace(note, number=number)
        for refund in outcome.refunds:
            self._send(refund, at)
        for name in outcome.voids:
            self._take_back(self.invoices[name], at)
        self._close(subscription.id, outcome.billed)
        self.redeem(outcome.redeemed, subscription.customer)

    def redeem(self, coupons: Iterable[str], customer: str) -> None:
        for coupon in coupons:
            self.redemptions.setdefault(coupon, []).append(customer)

    def redeemed(self, coupons: Iterable[Coupon], customer: str) -> dict[str, Redeemed]:
        """How often these have been redeemed, by anybody and by that customer."""
        by = {coupon.key: self.redemptions.get(coupon.key, []) for coupon in coupons}
        return {key: Redeemed(len(those), those.count(customer)) for key, those in by.items()}

    def keep_subscription(self, subscription: Subscription) -> None:
        self.subscriptions[subscription.id] = subscription
        self.is_changed = True

    def issue(self, invoice: Invoice) -> None:
        """Number an invoice; credit notes have paid what it says, and what is due is to be collected."""
        if invoice.name in self.invoices:
            raise Corrupt(f"there is an invoice {invoice.name} already")
        number = f"INV-{len(self.invoices) + 1:06}"
        self.invoices[invoice.name] = replace(invoice, number=number)
        for credit in invoice.credits:
            if credit.source == "credit_note":
                note = self.credit_notes[credit.id]
                self.credit_notes[credit.id] = replace(
                    note, remaining=note.remaining - credit.amount
                )
        if invoice.subscription is not None:
            lines = self.advance.setdefault(invoice.subscription, [])
            lines.extend(
                (invoice.name, line) for line in invoice.lines if line.charged != "in_arrears"
            )
        if invoice.amount_due.minor:
            self.keep(begin_collection(invoice, invoice.name))

    def keep(self, collection: Collection) -> None:
        """Keep where the collection of an invoice stands."""
        self.collections[collection.invoice] = collection
        self.is_changed = True
        if collection.next_attempt_at is None:
            self.due_attempts.pop(collection.invoice, None)
        else:
            self.due_attempts[collection.invoice] = collection

    def add_grant(self, grant: Grant) -> None:
        self.grants[grant.id] = GrantBalance(grant, Money(0, grant.amount.currency))

    def post(self, transactions: Sequence[Transaction]) -> None:
        """Keep transactions; what is left of a grant is what its account holds."""
        self.transactions.extend(transactions)
        for transaction in transactions:
            for posting in transaction.postings:
                kind, _, grant = posting.account.partition(":")
                if kind == "credits":
                    balance = self.grants[grant]
                    left = balance.remaining - posting.amount
                    self._keep_balance(replace(balance, remaining=left))

    def reach(self, event: UsageEvent, meters: Sequence[str]) -> None:
        """Note which closed windows an event counts in: one that comes late, or that a level carries on."""
        for subscription in self.subscriptions.values():
            is_of = event.subscription in (None, subscription.id)
            is_late = subscription.usage_from is None or event.time < subscription.usage_from
            if is_of and is_late and event.customer in self.pool_of(subscription):
                for window in self.windows.get(subscription.id, {}).values():
                    if self._counts_in(event, meters, window.billed):
                        window.is_reached = True

    def _counts_in(self, event: UsageEvent, meters: Sequence[str], billed: BilledUsage) -> bool:
        item = self.version(billed.plan).item(billed.item)
        meter = item.meter if item is not None else None
        if meter is None or meter not in meters or event.time >= billed.window.end:
            return False
        return billed.window.contains(event.time) or self.scenario.meters[meter].carry_over

    def _keep_balance(self, balance: GrantBalance) -> None:
        grant = balance.grant.id
        self.grants[grant] = balance
        self.is_changed = True
        if balance.remaining.minor:
            self.standing[grant] = balance
        else:
            self.standing.pop(grant, None)

    def _send(self, refund: Refund, at: datetime) -> None:
        sent = self.refunded.get(refund.invoice, Money(0, refund.amount.currency))
        self.refunded[refund.invoice] = sent + refund.amount
        number = self.invoices[refund.invoice].number or ""
        self.payments.append(Payment(at, "refund", refund.amount, "succeeded", number))

    def _take_back(self, invoice: Invoice, at: datetime) -> None:
        """Void an invoice for which nothing was delivered; a payment that is under way is given up."""
        self.invoices[invoice.name] = replace(invoice, status="void")
        self.keep(closed(self.collections[invoice.name], "void"))
        lapsed = {id for id, balance in self.grants.items() if balance.grant.has_expired(at)}
        self.post(ledger.invoice_taken_back(invoice, at, lapsed))
        for credit in invoice.credits:
            if credit.source == "credit_note":
                note = self.credit_notes[credit.id]
                given_back = replace(note, remaining=note.remaining + credit.amount)
                self.credit_notes[credit.id] = given_back
        self.payments = [
            replace(payment, status="failed", failure_code="canceled")
            if payment.invoice == invoice.number and payment.status == "requires_action"
            else payment
            for payment in self.payments
        ]

    def _close(self, subscription: str, billed: Sequence[BilledUsage]) -> None:
        windows = self.windows.setdefault(subscription, {})
        for each in billed:
            windows[each.item, each.window] = Window(each)

    def _reached(self, subscription: Subscription) -> Iterator[BilledUsage]:
        """The closed windows that usage has come for since they were closed."""
        for window in self.windows.get(subscription.id, {}).values():
            if window.is_reached:
                yield window.billed

    def _issued_in_advance(self, subscription: Subscription) -> Iterator[IssuedLine]:
        """The lines charged in advance that reach into the current period; the others are done with."""
        since = subscription.period.start if subscription.period else subscription.started_at
        kept = [
            (invoice, line)
            for invoice, line in self.advance.get(subscription.id, [])
            if line.period is not None and line.period.end > since
        ]
        self.advance[subscription.id] = kept
        for invoice, line in kept:
            number = self.invoices[invoice].number
            yield IssuedLine(invoice, line, self._paid_of(invoice), number)

    def _paid_of(self, invoice: str) -> Money:
        document = self.invoices[invoice]
        nothing = Money(0, document.currency)
        return (document.amount_paid or nothing) - self.refunded.get(invoice, nothing)

    def _grants(self, subscription: Subscription) -> Iterator[GrantBalance]:
        for balance in self.standing.values():
            if balance.grant.customer == subscription.billed_to:
                yield balance

    def _credit_notes(self, subscription: Subscription) -> Iterator[CreditNoteBalance]:
        for note in self.credit_notes.values():
            if note.customer == subscription.billed_to and note.remaining.minor:
                yield CreditNoteBalance(note.name, note.currency, note.issued_at, note.remaining)
