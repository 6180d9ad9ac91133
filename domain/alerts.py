"""Alerts: a figure of a customer that reaches a threshold, told once for each crossing and period."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Literal, cast

from domain.calendar import Period
from domain.currencies import read_currency
from domain.decimals import plain
from domain.documents import Document
from domain.errors import Invalid
from domain.money import settle
from domain.reading import Fields, Parser, decimal, key, list_of, one_of, positive

AlertType = Literal["spend", "usage", "balance", "limit", "forecast"]
TYPES: tuple[AlertType, ...] = ("spend", "usage", "balance", "limit", "forecast")
OF_MONEY: tuple[AlertType, ...] = ("spend", "balance", "forecast")
MOST_THRESHOLDS = 20

# So much of a period must be gone before it tells what the whole will come to; later it is looked at in such steps.
STEPS = 20
FORESEEABLE = Fraction(1, STEPS)

_NONE: tuple[Fraction, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """`customer` is as it was named, None for every customer. Thresholds are amounts in `currency`, quantities of `meter`,
    or per cent of the limit of `feature`: each alert has the one of the three that its type is about.
    """

    key: str
    type: AlertType
    thresholds: tuple[Fraction, ...]
    customer: str | None = None
    currency: str | None = None
    meter: str | None = None
    feature: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one threshold stands for one customer: whether it was reached when last looked at, in which period (by its
    start; None for what has no periods), and how often in that.
    """

    period: datetime | None = None
    reached: bool = False
    crossings: int = 0


@dataclass(frozen=True, slots=True)
class Crossing:
    """What is told: the period's `number`th triggering, or that it is over. One that began in an earlier period is 0."""

    status: Literal["triggered", "recovered"]
    number: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What one subscription has come to in its current period; None where it has none: its life is over, say."""

    amount: Fraction
    period: Period | None


def read_alert(value: object) -> Alert:
    """Read `{"key", "type", "customer", "currency", "meter", "feature", "threshold" or "thresholds" or "percent"}`; raises
    Invalid with every fault.
    """
    fields = Fields(value)
    type = cast(AlertType, fields.required("type", one_of(*TYPES)))
    subject = _subject(type)
    alert = Alert(
        key=fields.required("key", key),
        type=type,
        thresholds=_read_thresholds(fields, type),
        customer=fields.nullable("customer", key),
        currency=fields.nullable("currency", read_currency),
        meter=fields.nullable("meter", key),
        feature=fields.nullable("feature", key),
    )
    for other in ("currency", "meter", "feature"):
        if type in TYPES and other != subject and fields.has(other):
            fields.refuse(other, f"does not belong to an alert of {type}")
    if subject in ("meter", "feature") and not fields.has(subject):
        fields.refuse(subject, "is required")
    fields.done()
    return alert


def in_currency(alert: Alert, currency: str | None, customer: str | None) -> Alert:
    """The alert with what it left open: its currency, its customer's key. Raises Invalid for an amount that the currency
    does not have.
    """
    for threshold in alert.thresholds if currency is not None else ():
        if settle(threshold, str(currency)).exact != threshold:
            raise Invalid.at("thresholds", f"has more decimals than {currency} has")
    return replace(alert, currency=currency, customer=customer)


def alert_document(alert: Alert) -> Document:
    return {
        "key": alert.key,
        "type": alert.type,
        "customer": alert.customer,
        "currency": alert.currency,
        "meter": alert.meter,
        "feature": alert.feature,
        "thresholds": [threshold_text(alert, each) for each in alert.thresholds],
    }


def threshold_text(alert: Alert, threshold: Fraction) -> str:
    if alert.currency is None:
        return plain(threshold)
    return str(settle(threshold, alert.currency))


def is_reached(type: AlertType, threshold: Fraction, value: Fraction) -> bool:
    """A balance reaches its threshold from above, all else from below."""
    return value <= threshold if type == "balance" else value >= threshold


def looked_at(
    before: Standing, reached: bool, period: datetime | None
) -> tuple[Standing, Crossing | None]:
    """How a threshold stands after a look at it, and what there is to tell: that it was reached, once until it is not any
    more or another period has begun; and that it is reached no longer. What has no period for now (there is no limit any
    more, say) is still in the one before.
    """
    period = before.period if period is None else period
    is_new_period = period != before.period
    crossings = 0 if is_new_period else before.crossings
    if reached and (is_new_period or not before.reached):
        return Standing(period, True, crossings + 1), Crossing("triggered", crossings + 1)
    after = Standing(period, reached, crossings)
    recovered = before.reached and not reached
    return after, Crossing("recovered", crossings) if recovered else None


def percent_used(used: Fraction, limit: Fraction | None) -> Fraction:
    """Of a limit of 0 all is used from the first unit; of no limit nothing ever is."""
    if limit is None:
        return Fraction(0)
    if limit <= 0:
        return Fraction(100 if used > 0 else 0)
    return used / limit * 100


def first_start(periods: Iterable[Period]) -> datetime | None:
    """The period of several: the one that began first, until that has ended."""
    return min((each.start for each in periods), default=None)


def spend(spent: Iterable[Spent]) -> Fraction:
    return sum((each.amount for each in spent), Fraction(0))


def forecast(spent: Iterable[Spent], at: datetime) -> Fraction:
    """What periods will come to if they go on as they have begun, exactly. One of which less than `FORESEEABLE` is gone
    counts with what it has come to.
    """
    return sum((_foreseen(each, at) for each in spent), Fraction(0))


def forecast_changes(periods: Iterable[Period], at: datetime) -> datetime | None:
    """When to look at a forecast again, since it changes by time alone: at the next step of one of the periods."""
    return min((_next_step(each, at) for each in periods if each.end > at), default=None)


def _foreseen(spent: Spent, at: datetime) -> Fraction:
    gone = Fraction(0) if spent.period is None else _gone(spent.period, at)
    if gone < FORESEEABLE or gone >= 1:
        return spent.amount
    return spent.amount / gone


def _gone(period: Period, at: datetime) -> Fraction:
    """The share of a period that is gone, exact to the microsecond."""
    return _microseconds(period.start, at) / _microseconds(period.start, period.end)


def _next_step(period: Period, at: datetime) -> datetime:
    steps = max(_gone(period, at), Fraction(0)) // FORESEEABLE + 1
    # A step that falls between two microseconds is over with the later one.
    return min(period.end, period.start - (-period.length * steps) // STEPS)


def _microseconds(start: datetime, end: datetime) -> Fraction:
    lasted = end - start
    return Fraction((lasted.days * 86_400 + lasted.seconds) * 1_000_000 + lasted.microseconds)


def _subject(type: AlertType) -> str:
    """The member that says what an alert is about."""
    if type in OF_MONEY:
        return "currency"
    return "meter" if type == "usage" else "feature"


def _read_thresholds(fields: Fields, type: AlertType) -> tuple[Fraction, ...]:
    given = [name for name in ("threshold", "thresholds", "percent") if fields.has(name)]
    if not given:
        fields.refuse("threshold", "is required")
    for second in given[1:]:
        fields.refuse(second, f"was given as {given[0]} already")
    if type != "limit" and fields.has("percent"):
        fields.refuse("percent", "belongs to an alert of a limit")
    one = _threshold(type)
    several = fields.optional("thresholds", _different(one), _NONE)
    single = [fields.nullable(name, one) for name in ("threshold", "percent")]
    return several or tuple(each for each in single if each is not None)


def _threshold(type: AlertType) -> Parser[Fraction]:
    """A balance may be watched below zero, where plans let it go there; the rest is reached from below."""
    return decimal if type == "balance" else positive


def _different(one: Parser[Fraction]) -> Parser[tuple[Fraction, ...]]:
    def parse(value: object) -> tuple[Fraction, ...]:
        read = list_of(one, MOST_THRESHOLDS)(value)
        if not read:
            raise Invalid.at("", "must have at least one")
        for place, threshold in enumerate(read):
            if threshold in read[:place]:
                raise Invalid.at(str(place), "is there twice")
        return read

    return parse
