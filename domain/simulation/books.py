"""The books of a simulated world: what decisions brought, and the facts that the next ones rest on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain import lifecycle
from domain.account import (
    BilledUsage,
    CreditNoteBalance,
    Facts,
    IssuedLine,
    Outcome,
    Refund,
)
from domain.calendar import Period
from domain.credits import Grant, GrantBalance
from domain.customers import Customer
from domain.dunning import Collection, begin_collection
from domain.errors import NotFound
from domain.invoices import CreditNote, Invoice, Line
from domain.ledger import Transaction
from domain.metering.events import UsageEvent
from domain.money import Money
from domain.payments import Payment
from domain.plans import Plan
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
    the collections to be attempted and the grants that have something left.
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

    def customer(self, key: str) -> Customer:
        actor = self.scenario.actors.get(key)
        if actor is None:
            raise NotFound(f"there is no customer {key}")
        return actor.customer

    def plan(self, key: str) -> Plan:
        plan = self.scenario.plans.get(key)
        if plan is None:
            raise NotFound(f"there is no plan {key}")
        return plan

    def subscription(self, key: str) -> Subscription:
        subscription = self.subscriptions.get(key)
        if subscription is None:
            raise NotFound(f"there is no subscription {key}")
        return subscription

    def facts(self, subscription: Subscription, step: lifecycle.Step, at: datetime) -> Facts:
        """The facts that the decision about a step rests on, usage included."""
        facts = Facts(
            customer=self.customer(subscription.customer),
            plans={plan.ref: plan for plan in self.scenario.plans.values()},
            meters=self.scenario.meters,
            billed=tuple(self._reached(subscription)),
            advance=tuple(self._issued_in_advance(subscription)),
            grants=tuple(self._grants(subscription)),
            credit_notes=tuple(self._credit_notes(subscription)),
        )
        needs = lifecycle.needs(subscription, step, facts, at)
        used = self.usage.used(subscription.customer, subscription.id, needs, subscription.timezone)
        return replace(facts, usage=used)

    def record(self, outcome: Outcome, at: datetime) -> None:
        """Keep what a decision brought, and set going what it owes and is owed."""
        subscription = outcome.subscription
        self.subscriptions[subscription.id] = subscription
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
        self._close(subscription.id, outcome.billed)

    def issue(self, invoice: Invoice) -> None:
        """Number an invoice; credit notes have paid what it says, and what is due is to be collected."""
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
                (invoice.name, line) for line in invoice.lines if line.charged == "in_advance"
            )
        if invoice.amount_due.minor:
            self.keep(begin_collection(invoice, invoice.name))

    def keep(self, collection: Collection) -> None:
        """Keep where the collection of an invoice stands."""
        self.collections[collection.invoice] = collection
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
            if is_of and is_late and subscription.customer == event.customer:
                for window in self.windows.get(subscription.id, {}).values():
                    if self._counts_in(event, meters, window.billed):
                        window.is_reached = True

    def _counts_in(self, event: UsageEvent, meters: Sequence[str], billed: BilledUsage) -> bool:
        item = self.scenario.plans[billed.plan.key].item(billed.item)
        meter = item.meter if item is not None else None
        if meter is None or meter not in meters or event.time >= billed.window.end:
            return False
        return billed.window.contains(event.time) or self.scenario.meters[meter].carry_over

    def _keep_balance(self, balance: GrantBalance) -> None:
        grant = balance.grant.id
        self.grants[grant] = balance
        if balance.remaining.minor:
            self.standing[grant] = balance
        else:
            self.standing.pop(grant, None)

    def _send(self, refund: Refund, at: datetime) -> None:
        sent = self.refunded.get(refund.invoice, Money(0, refund.amount.currency))
        self.refunded[refund.invoice] = sent + refund.amount
        number = self.invoices[refund.invoice].number or ""
        self.payments.append(Payment(at, "refund", refund.amount, "succeeded", number))

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
            yield IssuedLine(invoice, line, self._paid_of(invoice))

    def _paid_of(self, invoice: str) -> Money:
        document = self.invoices[invoice]
        nothing = Money(0, document.currency)
        return (document.amount_paid or nothing) - self.refunded.get(invoice, nothing)

    def _grants(self, subscription: Subscription) -> Iterator[GrantBalance]:
        for balance in self.standing.values():
            if balance.grant.customer == subscription.customer:
                yield balance

    def _credit_notes(self, subscription: Subscription) -> Iterator[CreditNoteBalance]:
        for note in self.credit_notes.values():
            if note.customer == subscription.customer and note.remaining.minor:
                yield CreditNoteBalance(note.name, note.currency, note.issued_at, note.remaining)
