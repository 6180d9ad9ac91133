"""What a scenario's timeline can ask for: each action is one value, read by its shape alone. Whether it is allowed
is found out when its time has come, and is then an answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from domain.calendar import Interval, read_interval
from domain.credits import GrantOrder, TopUpOrder, read_grant, read_top_up
from domain.currencies import read_currency
from domain.metering.incoming import name, read_properties
from domain.overrides import read_overrides
from domain.phases import MOST_PERIODS, MOST_PHASES, faults_of_phases
from domain.reading import Fields, boolean, decimal, instant, integer, key, list_of, text
from domain.scenarios.changing import CHANGES, Change, Overrides, Quantities, read_quantities

MOST_REPETITIONS = 100_000


@dataclass(frozen=True, slots=True)
class Phase:
    """A plan for so many billing periods; without them, for ever."""

    plan: str
    quantities: Quantities = field(default_factory=dict)
    overrides: Overrides = field(default_factory=dict)
    periods: int | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """One phase, or several one after the other. With `without_trial` there is none, whatever the plan says."""

    key: str
    customer: str
    phases: tuple[Phase, ...]
    coupons: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    trial_end: datetime | None = None
    without_trial: bool = False
    pools_usage: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """One event, or `times` of them, `every` interval apart; without a `time` it happened when it arrived."""

    customer: str
    event_name: str
    properties: Mapping[str, object]
    id: str | None = None
    time: datetime | None = None
    subscription: str | None = None
    every: Interval | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class VoidUsage:
    """An event is taken back, whosever it is: its id is nobody else's."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    order: GrantOrder


@dataclass(frozen=True, slots=True)
class TopUp:
    order: TopUpOrder


@dataclass(frozen=True, slots=True)
class Check:
    customer: str
    feature: str
    quantity: Fraction


@dataclass(frozen=True, slots=True)
class Balance:
    customer: str
    currency: str | None


@dataclass(frozen=True, slots=True)
class Pay:
    """The customer pays what is open, with a new payment method or the one there is."""

    customer: str
    new_method: bool


Action = Subscribe | Usage | VoidUsage | Change | Grant | TopUp | Check | Balance | Pay


@dataclass(frozen=True, slots=True)
class Entry:
    """An action at its time. `name` is what the file calls it, `number` its place in the file, from 1; events of one
    entry that repeats are told apart by `repetition`.
    """

    at: datetime
    name: str
    action: Action
    number: int
    repetition: int = 0


def read_entry(value: object, number: int) -> Entry:
    """Read `{"at", <action>: {…}}`; raise Invalid for an unknown action and every fault in a known one."""
    fields = Fields(value)
    at = fields.required("at", instant)
    named = [each for each in ACTIONS if fields.has(each)]
    if len(named) != 1:
        fields.refuse("", f"must have one action, of {', '.join(ACTIONS)}")
        fields.done()
    action = fields.required(named[0], ACTIONS[named[0]])
    fields.done()
    return Entry(at, named[0], action, number)


def _read_subscribe(value: object) -> Action:
    fields = Fields(value)
    action = Subscribe(
        key=fields.required("key", key),
        customer=fields.required("customer", key),
        phases=_phases(fields),
        coupons=fields.optional("coupons", list_of(key), ()),
        starts_at=fields.nullable("starts_at", instant),
        ends_at=fields.nullable("ends_at", instant),
        trial_end=fields.nullable("trial_end", instant),
        without_trial=isinstance(value, Mapping) and value.get("trial_end", ...) is None,
        pools_usage=fields.optional("pools_usage", boolean, False),
    )
    if action.ends_at is not None and action.phases and action.phases[-1].periods is not None:
        fields.refuse("ends_at", "is told by the last phase, which has periods")
    fields.done()
    return action


def _phases(fields: Fields) -> tuple[Phase, ...]:
    if not fields.has("phases"):
        return (_phase(fields),)
    for term in ("plan", "quantities", "overrides"):
        if fields.has(term):
            fields.nullable(term, lambda given: given)
            fields.refuse(term, "is told by phases")
    phases = fields.required("phases", list_of(_read_phase, MOST_PHASES))
    for fault in faults_of_phases([each.periods for each in phases or ()]):
        fields.refuse(f"phases.{fault.path}".rstrip("."), fault.message)
    return phases


def _read_phase(value: object) -> Phase:
    fields = Fields(value)
    periods = fields.nullable("periods", integer(1, MOST_PERIODS))
    phase = replace(_phase(fields), periods=periods)
    fields.done()
    return phase


def _phase(fields: Fields) -> Phase:
    return Phase(
        fields.required("plan", key),
        fields.optional("quantities", read_quantities, {}),
        fields.optional("overrides", read_overrides, {}),
    )


def _read_usage(value: object) -> Action:
    fields = Fields(value)
    action = Usage(
        customer=fields.required("customer", key),
        event_name=fields.required("event_name", name),
        properties=fields.optional("properties", read_properties, {}),
        id=fields.nullable("id", name),
        time=fields.nullable("time", instant),
        subscription=fields.nullable("subscription", key),
        every=fields.nullable("every", read_interval),
        times=fields.optional("times", integer(1, MOST_REPETITIONS), 1),
    )
    if fields.has("times") and not fields.has("every"):
        fields.refuse("every", "is required where there is times")
    if fields.has("id") and action.times not in (None, 1):
        fields.refuse("id", "is of one event: without it, each repetition has its own")
    fields.done()
    return action


def _read_void_usage(value: object) -> Action:
    fields = Fields(value)
    action = VoidUsage(fields.required("id", name), fields.required("reason", text))
    fields.done()
    return action


def _read_check(value: object) -> Action:
    fields = Fields(value)
    action = Check(
        fields.required("customer", key),
        fields.required("feature", key),
        fields.optional("quantity", decimal, Fraction(1)),
    )
    fields.done()
    return action


def _read_balance(value: object) -> Action:
    fields = Fields(value)
    action = Balance(fields.required("customer", key), fields.nullable("currency", read_currency))
    fields.done()
    return action


def _pays(new_method: bool) -> Callable[[object], Action]:
    def parse(value: object) -> Action:
        fields = Fields(value)
        action = Pay(fields.required("customer", key), new_method)
        fields.done()
        return action

    return parse


ACTIONS: Mapping[str, Callable[[object], Action]] = {
    "subscribe": _read_subscribe,
    "usage": _read_usage,
    "void_usage": _read_void_usage,
    **CHANGES,
    "grant": lambda value: Grant(read_grant(value)),
    "top_up": lambda value: TopUp(read_top_up(value)),
    "check": _read_check,
    "balance": _read_balance,
    "payment_method": _pays(new_method=True),
    "pay": _pays(new_method=False),
}
