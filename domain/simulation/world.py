"""A simulated world: what is due happens in its order, and entries of the timeline act between."""

from contextlib import suppress
from datetime import datetime

from domain import ledger, lifecycle
from domain.account import Outcome
from domain.ahead import closing, next_step
from domain.changing.unpaid import noted
from domain.commands import Command, NotePayment, Request
from domain.deciding import Asked, Taking, UsageArrives, decide, kind_of
from domain.errors import Conflict, Invalid
from domain.metering.events import UsageEvent
from domain.scenarios.scenario import Scenario
from domain.simulation.books import Books
from domain.simulation.collecting import Collecting
from domain.simulation.dues import DueThing, Moment, next_due
from domain.simulation.usage_log import UsageLog
from domain.subscription import Subscription


class World:
    def __init__(self, scenario: Scenario, most_steps: int | None = None) -> None:
        self.scenario = scenario
        self.most_steps = most_steps
        self.steps = 0
        self.books = Books(scenario, UsageLog(scenario.meters))
        self.collecting = Collecting(self.books)
        self.due: DueThing | None = None
        self.soon = _charged_as_they_arrive(scenario)

    def live_until(self, moment: Moment) -> None:
        """Let everything happen that is due up to a moment."""
        while (due := self._next_due()) and due.moment.has_come(moment):
            self.count_step()
            self._happen(due)

    def _next_due(self) -> DueThing | None:
        """As it was found last, unless something has changed: most usage changes nothing that is due."""
        if self.books.is_changed:
            self.due, self.books.is_changed = next_due(self.books), False
        return self.due

    def count_step(self) -> None:
        """One more thing happens. Raises Invalid where that is more than the story may have."""
        self.steps += 1
        if self.most_steps is not None and self.steps > self.most_steps:
            raise Invalid.at("until", f"the story comes to more than {self.most_steps} steps")

    def _happen(self, due: DueThing) -> None:
        at = due.moment.at
        match due.what:
            case "attempt":
                self._attempt(due.of, at)
            case "step":
                taking = next_step(self.books.subscriptions[due.of])
                assert taking is not None
                self._take(taking)
            case "expiry":
                self.end_grant(due.of, at)

    def _attempt(self, invoice: str, at: datetime) -> None:
        """Attempt a payment, and let the subscription hear what became of its invoice: unless it is over by then, with a
        period that had to be closed before.
        """
        books = self.books
        before = books.collections[invoice].status
        self.collecting.attempt(invoice, at)
        after, of = books.collections[invoice].status, books.invoices[invoice].subscription
        if of is None or after == before:
            return
        living = books.subscription(of)
        became = noted(books.version(living.plan), living, invoice, before, after)
        if became is not None:
            request = f"payment:{invoice}:{became}"
            with suppress(Conflict):
                self.carry_out(of, NotePayment(invoice, became), at, request)

    def carry_out(self, key: str, command: Command, at: datetime, request: str) -> Outcome:
        """Have a subscription do what is asked; a period that is over, in its grace, is closed first."""
        subscription = self.books.subscription(key)
        lifecycle.check(subscription, command, at)
        while lifecycle.closes_before(subscription, command, at):
            subscription = self._take(closing(subscription, at)).subscription
        return self._take(Taking(Asked(Request(request, command)), subscription, at))

    def used(self, event: UsageEvent, by: str, at: datetime) -> None:
        """An event was accepted, or taken back: charge what is charged as it arrives, and what came after a final
        invoice, under the name of what it is charged by.
        """
        for subscription in list(self.books.subscriptions.values()):
            if (
                (subscription.is_over or event.event_name in self.soon)
                and event.subscription in (None, subscription.id)
                and event.customer in self.books.pool_of(subscription)
                and self._awaits(subscription, event)
            ):
                self._take(Taking(UsageArrives(0, by), subscription, at))

    def _awaits(self, subscription: Subscription, event: UsageEvent) -> bool:
        """Whether such events are charged as they arrive, or late."""
        plan, meters = self.books.version(subscription.plan), self.scenario.meters
        return subscription.is_over or any(
            plan.awaits_usage(item)
            and item.meter is not None
            and meters[item.meter].event_name == event.event_name
            for item in plan.items
        )

    def end_grant(self, grant: str, at: datetime) -> None:
        """What is left of it lapses."""
        balance = self.books.grants[grant]
        self.books.post(ledger.expired(balance.grant, balance.remaining, at))

    def _take(self, taking: Taking) -> Outcome:
        at = taking.at
        facts = self.books.facts(taking.subscription, kind_of(taking), at)
        outcome = decide(taking, facts)
        self.books.record(outcome, at)
        return outcome


def _charged_as_they_arrive(scenario: Scenario) -> frozenset[str]:
    """The names of the events that some plan of the file charges so."""
    return frozenset(
        scenario.meters[item.meter].event_name
        for plan in scenario.plans.values()
        for item in plan.items
        if plan.awaits_usage(item) and item.meter is not None
    )
