"""A scenario file: the catalogue, the customers, what happens when, and what is expected of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from domain.calendar import Interval, add_interval, read_interval
from domain.catalog import (
    read_advance_invoicing,
    read_coupon,
    read_feature,
    read_plan,
    read_tax_rate,
    require_known,
)
from domain.currencies import read_currency
from domain.customers import Coupon, Customer, TaxRate
from domain.dunning import AttemptStatus
from domain.errors import Fault, Invalid
from domain.metering.meter import Meter, read_meter
from domain.plans import Feature, Plan
from domain.reading import Fields, Parser, instant, key, list_of, text
from domain.scenarios.actions import Entry, Usage, read_entry
from domain.timezones import read_timezone

LONGEST_TIMELINE = 100_000
MOST_CUSTOMERS = 10_000

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
    """`timeline` is in the order in which things happen; nothing after `until` does."""

    name: str
    currency: str
    meters: Mapping[str, Meter]
    features: Mapping[str, Feature]
    plans: Mapping[str, Plan]
    coupons: Mapping[str, Coupon]
    actors: Mapping[str, Actor]
    timeline: tuple[Entry, ...]
    until: datetime


def read_scenario(value: object) -> Scenario:
    """Read a scenario of contract §8; raises Invalid with every fault in it. Its `expect` is not looked into."""
    fields = Fields(value)
    fields.nullable("description", text)
    fields.nullable("expect", lambda expected: expected)
    currency = fields.required("currency", read_currency)
    usual = currency or _ANY_CURRENCY
    reading_plan = partial(
        read_plan,
        currency=usual,
        invoicing=fields.optional("advance_invoicing", read_advance_invoicing, "each"),
        grace=fields.nullable("invoice_grace", read_interval),
    )
    rates: dict[str, TaxRate] = fields.optional("tax_rates", _by_key(read_tax_rate), {})
    scenario = Scenario(
        name=fields.optional("name", text, ""),
        currency=currency,
        meters=fields.optional("meters", _by_key(read_meter), {}),
        features=fields.optional("features", _by_key(read_feature), {}),
        plans=fields.optional("plans", _by_key(reading_plan), {}),
        coupons=fields.optional("coupons", _by_key(partial(read_coupon, currency=usual)), {}),
        actors=fields.optional("customers", _by_key(partial(_read_actor, rates=rates or {})), {}),
        timeline=fields.optional("timeline", _read_timeline, ()),
        until=fields.required("until", instant),
    )
    _refuse_unknown(fields, scenario)
    fields.done()
    return replace(scenario, timeline=_in_order(scenario))


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
    outcomes = fields.optional("payment", _read_payment, _ALWAYS_SUCCEEDED)
    for index, rate in enumerate(taxed or ()):
        if rate not in rates:
            fields.refuse(f"tax_rates.{index}", f"there is no tax rate {rate}")
    fields.done()
    customer = Customer(named, named, timezone, tuple(rates[rate] for rate in taxed))
    return Actor(customer, outcomes)


def _read_payment(value: object) -> tuple[Attempted, ...]:
    fields = Fields(value)
    outcomes = fields.optional("outcomes", list_of(_read_outcome), _ALWAYS_SUCCEEDED)
    if outcomes == ():
        fields.refuse("outcomes", "must have at least one")
    fields.done()
    return outcomes


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


def _in_order(scenario: Scenario) -> tuple[Entry, ...]:
    """What happens until the end, by time and then as in the file; usage that repeats, as often as it does."""
    happening = [repeated for entry in scenario.timeline for repeated in _repeated(entry, scenario)]
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
