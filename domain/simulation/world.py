"""A simulated world: what is due happens in its order, and entries of the timeline act between."""

from datetime import datetime, timedelta

from domain import ledger, lifecycle
from domain.account import Outcome
from domain.commands import Command, Request
from domain.plans import AdvanceInvoicing
from domain.reading import written
from domain.scenarios.scenario import Scenario
from domain.simulation.books import Books
from domain.simulation.collecting import Collecting
from domain.simulation.dues import DueThing, Moment, next_due
from domain.simulation.usage_log import UsageLog
from domain.subscription import Subscription
from domain.timezones import instant_of, local_time


class World:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.books = Books(scenario, UsageLog(scenario.meters))
        self.collecting = Collecting(self.books)
        self._gathering: dict[str, datetime] = {}

    def live_until(self, moment: Moment) -> None:
        """Let everything happen that is due up to a moment."""
        while (due := next_due(self.books, self._gathering)) and due.moment.has_come(moment):
            self._happen(due)

    def _happen(self, due: DueThing) -> None:
        at = due.moment.at
        match due.what:
            case "attempt":
                self.collecting.attempt(due.of, at)
            case "gathered_usage":
                del self._gathering[due.of]
                self._charge_day(self.books.subscriptions[due.of], at)
            case "boundary":
                self.cross_boundary(self.books.subscriptions[due.of], at)
            case "expiry":
                self.end_grant(due.of, at)

    def cross_boundary(self, subscription: Subscription, at: datetime) -> None:
        """Begin, end a trial, or close a period."""
        books = self.books
        match subscription.status:
            case "scheduled":
                outcome = lifecycle.begin(books.facts(subscription, "start", at), subscription, at)
            case "trialing":
                facts = books.facts(subscription, "trial_end", at)
                outcome = lifecycle.begin(facts, subscription, at)
            case _:
                facts = books.facts(subscription, "period_end", at)
                outcome = lifecycle.end_period(facts, subscription, at)
        books.record(outcome, at)

    def carry_out(self, key: str, command: Command, at: datetime, request: str) -> Outcome:
        """Have a subscription do what is asked; a period that is over, in its grace, is closed first."""
        subscription = self.books.subscription(key)
        lifecycle.check(subscription, command, at)
        if subscription.is_past_its_period(at):
            self.cross_boundary(subscription, at)
            subscription = self.books.subscription(key)
        facts = self.books.facts(subscription, command, at)
        outcome = lifecycle.carry_out(facts, subscription, Request(request, command), at)
        self.books.record(outcome, at)
        return outcome

    def used(self, customer: str, named: str | None, event: str, at: datetime) -> None:
        """An event was accepted: charge what is charged as it arrives, and what came after a final invoice."""
        for subscription in list(self.books.subscriptions.values()):
            if subscription.customer != customer or named not in (None, subscription.id):
                continue
            if subscription.is_over:
                self._charge_late(subscription, event, at)
                continue
            gathered = self._ways_of_charging(subscription)
            if "each" in gathered:
                self._charge(subscription, at, event, "each")
            if "day" in gathered:
                self._gathering[subscription.id] = _end_of_day(at, subscription.timezone)

    def end_grant(self, grant: str, at: datetime) -> None:
        """What is left of it lapses."""
        balance = self.books.grants[grant]
        self.books.post(ledger.expired(balance.grant, balance.remaining, at))

    def _charge_late(self, subscription: Subscription, event: str, at: datetime) -> None:
        facts = self.books.facts(subscription, "late_usage", at)
        name = f"invoice:{subscription.id}:late:{event}"
        self.books.record(lifecycle.bill_late_usage(facts, subscription, at, name), at)

    def _charge_day(self, subscription: Subscription, at: datetime) -> None:
        """Unless the day ends with the period, whose invoice has it all."""
        if subscription.period is not None and at < subscription.period.end:
            self._charge(subscription, at, written(at), "day")

    def _charge(
        self, subscription: Subscription, at: datetime, cause: str, invoicing: AdvanceInvoicing
    ) -> None:
        facts = self.books.facts(subscription, "advance_usage", at)
        name = f"invoice:{subscription.id}:usage:{cause}"
        outcome = lifecycle.charge_usage(facts, subscription, at, name, invoicing)
        self.books.record(outcome, at)

    def _ways_of_charging(self, subscription: Subscription) -> set[AdvanceInvoicing]:
        """How usage that is charged as it arrives is invoiced under the subscription's plan."""
        items = self.scenario.plans[subscription.plan.key].items
        return {
            item.advance_invoicing
            for item in items
            if item.kind == "usage" and item.charged == "in_advance"
        }


def _end_of_day(at: datetime, timezone: str) -> datetime:
    """The next local midnight."""
    today = local_time(at, timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    return instant_of(today + timedelta(days=1), timezone)
