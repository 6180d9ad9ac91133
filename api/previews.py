"""What a request would bring: decided by the same rules on the same facts, and written nowhere."""

from collections.abc import Callable
from datetime import datetime

from api import documents
from api.auth import Caller
from api.connections import Connections
from api.moments import time_to_act
from db.customers import CustomerRow, find_customer
from db.facts import measure, with_money
from db.subscriptions import find_subscription
from domain import lifecycle
from domain.account import Facts, Outcome
from domain.commands import Command, Request
from domain.documents import Document
from domain.errors import Conflict, NotFound
from domain.reading import written
from domain.subscription import Subscription

Decision = Callable[[Facts], Outcome]


async def of_beginning(opened: Connections, wanted: Subscription) -> Document:
    """A subscription as it would begin."""

    def begin(facts: Facts) -> Outcome:
        return lifecycle.begin(facts, wanted, wanted.started_at)

    at = wanted.started_at
    outcome = await _decided(opened, wanted, "start", at, begin)
    async with opened.database.transaction(wanted.environment) as connection:
        customer = await find_customer(connection, wanted.customer)
    return _shown(outcome, customer, at)


async def of_command(opened: Connections, caller: Caller, name: str, command: Command) -> Document:
    """A subscription as a command would leave it. Raises what it would be refused with."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_subscription(connection, name)
        customer = await find_customer(connection, row.state.customer)
        now = await time_to_act(connection, customer)
    state, at = row.state, now.at
    lifecycle.check(state, command, at)

    def carry_out(facts: Facts) -> Outcome:
        return lifecycle.carry_out(facts, state, Request("preview", command), at)

    outcome = await _decided(opened, state, command, at, carry_out)
    return _shown(outcome, customer, row.created_at)


async def upcoming_invoice(opened: Connections, caller: Caller, name: str) -> Document:
    """The next invoice, with what was used so far. Raises `Conflict` where the life is over, and `NotFound` where
    nothing is to be billed.
    """
    async with opened.database.transaction(caller.environment) as connection:
        state = (await find_subscription(connection, name)).state
        customer = await find_customer(connection, state.customer)
    due = state.next_boundary()
    if due is None:
        raise Conflict(f"{state.key} is cancelled")
    at, ends = due.at, due.reason == "period_end"

    def go_on(facts: Facts) -> Outcome:
        decide = lifecycle.end_period if ends else lifecycle.begin
        return decide(facts, state, at)

    step: lifecycle.Step = "period_end" if ends else "trial_end"
    outcome = await _decided(opened, state, step, at, go_on)
    if not outcome.invoices:
        raise NotFound(f"nothing is to be billed at {written(at)}")
    return documents.undone_invoice(outcome.invoices[0], customer.key, state.key)


async def _decided(
    opened: Connections,
    subscription: Subscription,
    step: lifecycle.Step,
    at: datetime,
    decide: Decision,
) -> Outcome:
    measured = await measure(opened.database, subscription, step, at)
    environment = subscription.environment
    async with opened.database.transaction(environment, "REPEATABLE READ") as connection:
        return decide(await with_money(connection, measured.facts, subscription))


def _shown(outcome: Outcome, customer: CustomerRow, created_at: datetime) -> Document:
    state = outcome.subscription
    invoices = [documents.undone_invoice(i, customer.key, state.key) for i in outcome.invoices]
    notes = [documents.undone_note(n, customer.key, state.key) for n in outcome.credit_notes]
    return {
        **documents.state(state, customer.key),
        "created_at": written(created_at),
        "preview": True,
        "request": None,
        "request_status": "preview",
        "issued": {"invoices": invoices, "credit_notes": notes},
    }
