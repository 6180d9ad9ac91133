"""A customer's real history, re-rated under another plan, side by side with what was billed. Nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from api.auth import Caller
from api.choosing import Overrides, choose
from api.connections import Connections
from api.moments import time_to_act
from db.customers import find_customer
from db.facts import load_plan
from db.foresight import Foresight, looking_ahead
from db.history import History, history_of
from db.plans import find_plan
from db.retelling import Retelling
from db.subscriptions import find_subscription, find_subscriptions
from domain.documents import Document
from domain.errors import Fault, Invalid, NotFound
from domain.overrides import read_overrides
from domain.plans import Plan, PlanRef
from domain.reading import Fields, instant, integer, key, written
from domain.retelling import Retold, begun_on, on_to
from domain.scenarios.changing import read_quantities
from domain.side_by_side import Side, by_period, difference, side_document, together
from domain.subscription import Subscription

MOST_OF_A_CUSTOMER = 1_000


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Periods that begin `since` an instant and before `until`, of one subscription of a customer."""

    customer: str
    plan: str
    version: int | None = None
    overrides: Overrides = field(default_factory=dict)
    quantities: Mapping[str, Fraction] = field(default_factory=dict)
    subscription: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def has(self, start: datetime) -> bool:
        is_before = self.since is not None and start < self.since
        return not is_before and (self.until is None or start < self.until)


def read_what_if(body: object) -> WhatIf:
    """Raises Invalid with every fault."""
    fields = Fields(body)
    asked = WhatIf(
        customer=fields.required("customer", key),
        plan=fields.required("plan", key),
        version=fields.nullable("version", integer(1, 1_000_000)),
        overrides=fields.optional("overrides", read_overrides, {}),
        quantities=fields.optional("quantities", read_quantities, {}),
        subscription=fields.nullable("subscription", key),
        since=fields.nullable("from", instant),
        until=fields.nullable("to", instant),
    )
    if asked.since is not None and asked.until is not None and asked.until <= asked.since:
        fields.refuse("to", "must be after from")
    fields.done()
    return asked


async def what_if(opened: Connections, caller: Caller, asked: WhatIf) -> Document:
    """Raises `NotFound` for what is not there, `Conflict` for another currency and for a life that is too long."""
    async with looking_ahead(opened.database, caller.environment) as looking:
        living = await _subscription(looking, asked)
        plan = await _plan(looking, asked, living)
        customer = await find_customer(looking.connection, living.customer)
        now = await time_to_act(looking.connection, customer)
        history = await history_of(looking.connection, living)
        begun = begun_on(history.begun, replace(plan, activation="immediate"), asked.quantities)
        telling = Retelling(looking, history)
        retold = await telling.told(begun, replace(plan, activation="immediate"), now.at)
        end = _end_of_running(living)
        simulated = await on_to(retold.ahead, end, telling.after)
        actual = await on_to(await looking.of(living, "period_end"), end, looking.after)
    sides = (
        by_period(
            (*(each.invoice for each in history.issued), *actual.invoices),
            (*history.credit_notes, *actual.credit_notes),
            history.starts,
            end,
        ),
        by_period(simulated.invoices, simulated.credit_notes, history.starts, end),
    )
    shown = {"customer": customer.key, "subscription": living.key, "currency": living.currency}
    return {
        **shown,
        "plan": plan.key,
        "plan_version": None if asked.overrides else plan.version,
        **_compared(asked, living, history, sides),
        "left_out": _left_out(retold),
    }


def _compared(
    asked: WhatIf, living: Subscription, history: History, sides: tuple[list[Side], list[Side]]
) -> Document:
    """The periods that were asked for, and all of them together."""
    starts, currency = history.starts, living.currency
    end = living.ended_at or (None if living.period is None else living.period.end)
    periods: list[Document] = []
    kept: tuple[list[Side], list[Side]] = ([], [])
    for place, (start, actual, simulated) in enumerate(zip(starts, *sides, strict=True)):
        if not asked.has(start):
            continue
        stop = starts[place + 1] if place + 1 < len(starts) else end
        is_running = place + 1 == len(starts) and not living.is_over
        kept[0].append(actual)
        kept[1].append(simulated)
        periods.append(
            {
                "period": [written(start), stop and written(stop)],
                "status": "running" if is_running else "closed",
                "actual": side_document(actual, currency),
                "simulated": side_document(simulated, currency),
                "difference": difference(actual, simulated, currency),
            }
        )
    one, other = together(kept[0]), together(kept[1])
    return {
        "actual": _totals(one, currency),
        "simulated": _totals(other, currency),
        "difference": difference(one, other, currency),
        "periods": periods,
    }


def _end_of_running(living: Subscription) -> datetime | None:
    return None if living.is_over or living.period is None else living.period.end


def _totals(side: Side, currency: str) -> Document:
    shown = side_document(side, currency)
    del shown["lines"]
    return shown


def _left_out(retold: Retold) -> list[Document]:
    return [
        {"at": written(each.at), "action": each.action, "reason": each.reason}
        for each in retold.left_out
    ]


async def _subscription(looking: Foresight, asked: WhatIf) -> Subscription:
    """The one that is named, the only one that lives, or the only one."""
    connection = looking.connection
    customer = await find_customer(connection, asked.customer)
    if asked.subscription is not None:
        named = (await find_subscription(connection, asked.subscription)).state
        if named.customer != customer.id:
            raise NotFound(f"{customer.key} has no subscription {named.key}")
        return named
    rows = await find_subscriptions(connection, MOST_OF_A_CUSTOMER, customer=customer.id)
    living = [row.state for row in rows if not row.state.is_over]
    found = living if len(living) == 1 else [row.state for row in rows]
    if not found:
        raise NotFound(f"{customer.key} has no subscription")
    if len(found) > 1:
        raise Invalid.at("subscription", f"must be named: {customer.key} has several")
    return found[0]


async def _plan(looking: Foresight, asked: WhatIf, living: Subscription) -> Plan:
    """The version that is asked for, with the overrides in it. Raises Invalid, with paths in the body, for those that it
    does not take and for quantities of items that it does not have.
    """
    version = await find_plan(looking.connection, asked.plan, asked.version)
    plan = await load_plan(looking.connection, PlanRef(version.key, version.version))
    if asked.overrides:
        plan = (await choose(looking.connection, version, asked.overrides)).plan
    items = {item.key for item in plan.items if item.kind == "recurring"}
    faults = [
        Fault(f"quantities.{name}", f"{plan.key} has no such recurring item")
        for name in asked.quantities
        if name not in items
    ]
    if faults:
        raise Invalid(faults)
    return plan
