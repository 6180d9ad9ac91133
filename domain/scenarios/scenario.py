"""A scenario file: the catalogue, the customers, what happens when, and what is expected of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

from domain.calendar import Interval, add_interval, read_interval
from domain.catalog import (
    read_coupon,
    read_plan,
    read_tax_rate,
    require_known,
)
from domain.currencies import read_currency
from domain.customers import Billing, Coupon, Customer, TaxRate
from domain.dunning import AttemptStatus
from domain.errors import Conflict, Fault, Invalid
from domain.families import NO_PARENT, Relative, check_parent, read_billing
from domain.features import read_feature
from domain.items import read_advance_invoicing
from domain.metering.meter import Meter, read_meter
from domain.plans import AdvanceInvoicing, Feature, Plan
from domain.reading import Fields, Parser, boolean, instant, key, list_of, text
from domain.scenarios.actions import Entry, Usage, read_entry
from domain.timezones import read_timezone
from domain.units import Unit, read_unit

LONGEST_TIMELINE = 100_000
MOST_HAPPENING = 1_000_000
MOST_CUSTOMERS = 10_000

USUAL_OF_PLANS = ("currency", "advance_invoicing", "invoice_grace")

USUAL_DECLINE = "generic_decline"

_DECLINED = re.compile(r"declined:[a-z0-9_]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempted:
    """How the provider answers one attempt."""

    status: AttemptStatus
    failure_code: str | None = None


SUCCEEDED = Attempted("succeeded")

_ANY_CURRENCY = "USD"  # to read on where the file's own is a fault
_ALWAYS_SUCCEEDED: tuple[Attempted, ...] = (SUCCEEDED,)
_NO_RATES: tuple[str, ...] = ()
_EACH: AdvanceInvoicing = "each"
_SELF: Billing = "self"


@dataclass(frozen=True, slots=True)
class _Pays:
    """How a customer pays: `on_file` tells whether there is a payment method from the beginning."""

    outcomes: tuple[Attempted, ...] = _ALWAYS_SUCCEEDED
    on_file: bool = True


_ALWAYS_PAYS = _Pays()


@dataclass(frozen=True, slots=True)
class Actor:
    """A customer of a story, with the provider's answers to each attempt in turn; the last repeats."""

    customer: Customer
    outcomes: tuple[Attempted, ...]

    @property
    def key(self) -> str:
        return self.customer.key


@dataclass(frozen=True, slots=True)
class Scenario:
    """`timeline` is in the order in which things happen; nothing after `until` does. `documents` are the plans as they
    were read, with what the file says for all of them.
    """

    name: str
    currency: str
    meters: Mapping[str, Meter]
    features: Mapping[str, Feature]
    plans: Mapping[str, Plan]
    documents: Mapping[str, Mapping[str, object]]
    coupons: Mapping[str, Coupon]
    units: Mapping[str, Unit]
    actors: Mapping[str, Actor]
    timeline: tuple[Entry, ...]
    until: datetime


def read_scenario(value: object, most: int = MOST_HAPPENING) -> Scenario:
    """Read a scenario of contract §8; raises Invalid with every fault in it, or where its timeline comes to more than
    `most` entries. Its `expect` is not looked into.
    """
    fields = Fields(value)
    fields.nullable("description", text)
    fields.nullable("expect", lambda expected: expected)
    currency = fields.required("currency", read_currency)
    usual = currency or _ANY_CURRENCY
    reading_plan = partial(
        read_plan,
        currency=usual,
        invoicing=fields.optional("advance_invoicing", read_advance_invoicing, _EACH),
        grace=fields.nullable("invoice_grace", read_interval),
    )
    rates: dict[str, TaxRate] = fields.optional("tax_rates", _by_key(read_tax_rate), {})
    scenario = Scenario(
        name=fields.optional("name", text, ""),
        currency=currency,
        meters=fields.optional("meters", _by_key(read_meter), {}),
        features=fields.optional("features", _by_key(read_feature), {}),
        plans=fields.optional("plans", _by_key(reading_plan), {}),
        documents={},
        coupons=fields.optional("coupons", _by_key(partial(read_coupon, currency=usual)), {}),
        units=fields.optional("units", _by_key(partial(read_unit, currency=usual)), {}),
        actors=fields.optional("customers", _by_key(partial(_read_actor, rates=rates or {})), {}),
        timeline=fields.optional("timeline", _read_timeline, ()),
        until=fields.required("until", instant),
    )
    _refuse_unknown(fields, scenario)
    _refuse_strange_parents(fields, scenario.actors or {})
    fields.done()
    return replace(scenario, timeline=_in_order(scenario, most), documents=_documents(value))


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


_K = TypeVar("_K", bound=_Keyed)


def _by_key(parse: Parser[_K]) -> Parser[dict[str, _K]]:
    """A list of documents, by their keys."""

    def parse_list(value: object) -> dict[str, _K]:
        documents = list_of(parse, MOST_CUSTOMERS)(value)
        keys = [document.key for document in documents]
        twice = [index for index, named in enumerate(keys) if named in keys[:index]]
        if twice:
            raise Invalid(Fault(f"{i}.key", f"is there twice: {keys[i]}") for i in twice)
        return dict(zip(keys, documents, strict=True))

    return parse_list


def _read_actor(value: object, rates: Mapping[str, TaxRate]) -> Actor:
    fields = Fields(value)
    fields.nullable("name", text)
    fields.nullable("email", text)
    named = fields.required("key", key)
    taxed = fields.optional("tax_rates", list_of(key), _NO_RATES)
    timezone = fields.optional("timezone", read_timezone, "UTC")
    parent = fields.nullable("parent", key)
    billing = fields.optional("billing", read_billing, _SELF)
    pays = fields.optional("payment", _read_payment, _ALWAYS_PAYS)
    for index, rate in enumerate(taxed or ()):
        if rate not in rates:
            fields.refuse(f"tax_rates.{index}", f"there is no tax rate {rate}")
    if billing == "parent" and parent is None:
        fields.refuse("billing", NO_PARENT)
    fields.done()
    customer = Customer(
        id=named,
        key=named,
        timezone=timezone,
        tax_rates=tuple(rates[rate] for rate in taxed),
        has_payment_method=pays.on_file,
        parent=parent,
        billing=billing,
    )
    return Actor(customer, pays.outcomes)


def _read_payment(value: object) -> _Pays:
    fields = Fields(value)
    outcomes = fields.optional("outcomes", list_of(_read_outcome), _ALWAYS_SUCCEEDED)
    on_file = fields.optional("on_file", boolean, True)
    if outcomes == ():
        fields.refuse("outcomes", "must have at least one")
    fields.done()
    return _Pays(outcomes, on_file)


def _read_outcome(value: object) -> Attempted:
    match value:
        case "succeeded":
            return SUCCEEDED
        case "requires_action":
            return Attempted("requires_action")
        case "declined":
            return Attempted("failed", USUAL_DECLINE)
        case str() if _DECLINED.fullmatch(value):
            return Attempted("failed", value.partition(":")[2])
        case _:
            raise Invalid.at("", "must be succeeded, declined:<code> or requires_action")


def _read_timeline(value: object) -> tuple[Entry, ...]:
    if not isinstance(value, list | tuple):
        raise Invalid.at("", "must be a list")
    numbers = iter(range(1, len(value) + 1))
    return list_of(lambda entry: read_entry(entry, next(numbers)), LONGEST_TIMELINE)(value)


def _refuse_unknown(fields: Fields, scenario: Scenario) -> None:
    """Refuse features and plans that name what the file does not have."""
    if scenario.meters is None or scenario.features is None:
        return  # that is a fault already
    for index, feature in enumerate(scenario.features.values()):
        if feature.meter is not None and feature.meter not in scenario.meters:
            fields.refuse(f"features.{index}.meter", f"there is no meter {feature.meter}")
    for index, plan in enumerate((scenario.plans or {}).values()):
        try:
            require_known(plan, scenario.meters, scenario.features)
        except Invalid as invalid:
            for fault in invalid.faults:
                fields.refuse(f"plans.{index}.{fault.path}", fault.message)


def _refuse_strange_parents(fields: Fields, actors: Mapping[str, Actor]) -> None:
    """Refuse parents that are not there or cannot be."""
    relatives = {key: _relative(actor.customer, actors) for key, actor in actors.items()}
    for index, child in enumerate(relatives.values()):
        if child.parent is None:
            continue
        if child.parent not in relatives:
            fields.refuse(f"customers.{index}.parent", f"there is no customer {child.parent}")
            continue
        try:
            check_parent(child, relatives[child.parent])
        except Conflict as conflict:
            fields.refuse(f"customers.{index}.parent", str(conflict))


def _relative(customer: Customer, actors: Mapping[str, Actor]) -> Relative:
    has_children = any(actor.customer.parent == customer.key for actor in actors.values())
    return Relative(customer.id, customer.key, customer.parent, has_children)


def _documents(file: object) -> Mapping[str, Mapping[str, object]]:
    """The plans of a file that was read, by their keys."""
    assert isinstance(file, Mapping)
    usual = {name: file[name] for name in USUAL_OF_PLANS if file.get(name) is not None}
    return {
        plan["key"]: {**plan, **{n: said for n, said in usual.items() if plan.get(n) is None}}
        for plan in file.get("plans") or ()
    }


def _in_order(scenario: Scenario, most: int) -> tuple[Entry, ...]:
    """What happens until the end, by time and then as in the file; usage that repeats, as often as it does."""
    happening: list[Entry] = []
    for entry in scenario.timeline:
        happening.extend(islice(_repeated(entry, scenario), most + 1 - len(happening)))
        if len(happening) > most:
            raise Invalid.at("timeline", f"comes to more than {most} entries")
    return tuple(sorted(happening, key=lambda entry: entry.at))


def _repeated(entry: Entry, scenario: Scenario) -> Iterator[Entry]:
    usage = entry.action
    if not isinstance(usage, Usage) or usage.every is None:
        if entry.at <= scenario.until:
            yield entry
        return
    actor = scenario.actors.get(usage.customer)
    timezone = actor.customer.timezone if actor else "UTC"
    for number in range(usage.times):
        at = _after(entry.at, usage.every, number, timezone)
        if at > scenario.until:
            return
        time = None if usage.time is None else _after(usage.time, usage.every, number, timezone)
        yield replace(entry, at=at, repetition=number, action=replace(usage, time=time))


def _after(at: datetime, every: Interval, times: int, timezone: str) -> datetime:
    if times == 0:
        return at
    return add_interval(at, Interval(every.unit, every.count * times), timezone)
