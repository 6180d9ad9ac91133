"""What a scenario's timeline can ask for: each action is one value, read by its shape alone. Whether it is allowed
is found out when its time has come, and is then an answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Literal, cast

from domain.calendar import Interval, read_interval
from domain.credits import GrantOrder, TopUpOrder, read_grant, read_top_up
from domain.currencies import read_currency
from domain.metering.incoming import name, read_properties
from domain.reading import Fields, decimal, instant, integer, key, list_of, one_of, text

MOST_REPETITIONS = 100_000

Effective = Literal["immediately", "period_end"]
Unused = Literal["credit", "refund", "none"]


@dataclass(frozen=True, slots=True)
class Subscribe:
    key: str
    customer: str
    plan: str
    quantities: Mapping[str, Fraction] = field(default_factory=dict)
    coupons: tuple[str, ...] = ()


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
class ChangePlan:
    subscription: str
    plan: str
    effective: Effective


@dataclass(frozen=True, slots=True)
class SetQuantity:
    subscription: str
    item: str
    quantity: Fraction


@dataclass(frozen=True, slots=True)
class AddOn:
    """A one-off charge on the subscription's next invoice."""

    subscription: str
    key: str
    amount: Fraction
    description: str
    quantity: Fraction


@dataclass(frozen=True, slots=True)
class Cancel:
    subscription: str
    effective: Effective
    unused: Unused


@dataclass(frozen=True, slots=True)
class Pause:
    subscription: str


@dataclass(frozen=True, slots=True)
class Resume:
    subscription: str


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


OfSubscription = ChangePlan | SetQuantity | AddOn | Cancel | Pause | Resume
Action = Subscribe | Usage | OfSubscription | Grant | TopUp | Check | Balance | Pay


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
        plan=fields.required("plan", key),
        quantities=fields.optional("quantities", _read_quantities, {}),
        coupons=fields.optional("coupons", list_of(key), ()),
    )
    fields.done()
    return action


def _read_quantities(value: object) -> Mapping[str, Fraction]:
    fields = Fields(value)
    names = list(value) if isinstance(value, Mapping) else []
    quantities = {str(each): fields.required(str(each), decimal) for each in names}
    fields.done()
    return quantities


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


def _read_change_plan(value: object) -> Action:
    fields = Fields(value)
    action = ChangePlan(
        fields.required("subscription", key),
        fields.required("plan", key),
        _effective(fields, "immediately"),
    )
    fields.done()
    return action


def _read_set_quantity(value: object) -> Action:
    fields = Fields(value)
    action = SetQuantity(
        fields.required("subscription", key),
        fields.required("item", key),
        fields.required("quantity", decimal),
    )
    fields.done()
    return action


def _read_add_on(value: object) -> Action:
    fields = Fields(value)
    named = fields.required("key", key)
    action = AddOn(
        subscription=fields.required("subscription", key),
        key=named,
        amount=fields.required("amount", decimal),
        description=fields.optional("description", text, named),
        quantity=fields.optional("quantity", decimal, Fraction(1)),
    )
    fields.done()
    return action


def _read_cancel(value: object) -> Action:
    fields = Fields(value)
    unused = fields.optional("unused", one_of("credit", "refund", "none"), "credit")
    action = Cancel(
        fields.required("subscription", key),
        _effective(fields, "period_end"),
        cast(Unused, unused),
    )
    fields.done()
    return action


def _read_pause(value: object) -> Action:
    fields = Fields(value)
    action = Pause(fields.required("subscription", key))
    fields.done()
    return action


def _read_resume(value: object) -> Action:
    fields = Fields(value)
    action = Resume(fields.required("subscription", key))
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


def _effective(fields: Fields, usual: Effective) -> Effective:
    choices = one_of("immediately", "period_end")
    return cast(Effective, fields.optional("effective", choices, str(usual)))


ACTIONS: Mapping[str, Callable[[object], Action]] = {
    "subscribe": _read_subscribe,
    "usage": _read_usage,
    "change_plan": _read_change_plan,
    "set_quantity": _read_set_quantity,
    "add_on": _read_add_on,
    "grant": lambda value: Grant(read_grant(value)),
    "top_up": lambda value: TopUp(read_top_up(value)),
    "pause": _read_pause,
    "resume": _read_resume,
    "cancel": _read_cancel,
    "check": _read_check,
    "balance": _read_balance,
    "payment_method": _pays(new_method=True),
    "pay": _pays(new_method=False),
}
