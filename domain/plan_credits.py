"""What a plan gives, read from its document: credits with its periods, and bonuses on top-ups."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, cast

from domain.calendar import read_interval
from domain.credits import DEFAULT_PRIORITY, read_priority, read_scope_of_items
from domain.errors import Fault, Invalid
from domain.plans import Plan, PlanCredit, Rollover, TopUpBonus
from domain.reading import (
    Fields,
    boolean,
    decimal,
    key,
    list_of,
    not_negative,
    one_of,
    positive,
)

MOST_BONUSES = 50

_EVERYTHING: tuple[str, ...] = ()


def read_credit(value: object) -> PlanCredit:
    """Read `{"key", "amount", "every_period", "expires_after", "priority", "scope", "rollover", "on_plan_change"}`."""
    fields = Fields(value)
    on_plan_change = fields.optional("on_plan_change", one_of("keep", "prorate"), "keep")
    credit = PlanCredit(
        key=fields.required("key", key),
        amount=fields.required("amount", positive),
        every_period=fields.optional("every_period", boolean, True),
        expires_after=fields.nullable("expires_after", read_interval),
        priority=fields.optional("priority", read_priority, DEFAULT_PRIORITY),
        items=fields.optional("scope", read_scope_of_items, _EVERYTHING),
        rollover=fields.nullable("rollover", _read_rollover),
        on_plan_change=cast(Literal["keep", "prorate"], on_plan_change),
    )
    if credit.every_period is False:
        if credit.rollover is not None:
            fields.refuse("rollover", "is for credits of every period")
        if on_plan_change == "prorate":
            fields.refuse("on_plan_change", "prorates credits of every period alone")
    fields.done()
    return credit


def read_bonuses(value: object) -> tuple[TopUpBonus, ...]:
    """Read `[{"from", "percent" or "amount", "expires_after"}]`, the lowest `from` first."""
    bonuses = list_of(_read_bonus, MOST_BONUSES)(value)
    floors = [bonus.threshold for bonus in bonuses]
    twice = [place for place, floor in enumerate(floors) if floor in floors[:place]]
    if twice:
        raise Invalid(Fault(f"{place}.from", "is there twice") for place in twice)
    return bonuses


def amounts_given(plan: Plan) -> Iterator[tuple[str, Fraction]]:
    """All that a plan gives or gives by, in its currency, with the paths."""
    for index, credit in enumerate(plan.credits or ()):
        yield f"credits.{index}.amount", credit.amount
        rollover = credit.rollover or Rollover()
        for name in ("maximum", "minimum"):
            if (bound := getattr(rollover, name)) is not None:
                yield f"credits.{index}.rollover.{name}", bound
    for index, bonus in enumerate(plan.top_up_bonuses or ()):
        yield f"top_up_bonuses.{index}.from", bonus.threshold
        if bonus.amount is not None:
            yield f"top_up_bonuses.{index}.amount", bonus.amount


def _read_rollover(value: object) -> Rollover:
    fields = Fields(value)
    rollover = Rollover(
        maximum=fields.nullable("maximum", not_negative),
        minimum=fields.nullable("minimum", not_negative),
    )
    if None not in (rollover.maximum, rollover.minimum) and _is_below(rollover):
        fields.refuse("maximum", "must not be below the minimum")
    fields.done()
    return rollover


def _is_below(rollover: Rollover) -> bool:
    return (rollover.maximum or 0) < (rollover.minimum or 0)


def _read_bonus(value: object) -> TopUpBonus:
    fields = Fields(value)
    bonus = TopUpBonus(
        threshold=fields.required("from", positive),
        percent=fields.nullable("percent", _some_percent),
        amount=fields.nullable("amount", positive),
        expires_after=fields.nullable("expires_after", read_interval),
    )
    if fields.has("percent") == fields.has("amount"):
        fields.refuse("percent", "either this or amount must be given")
    fields.done()
    return bonus


def _some_percent(value: object) -> Fraction:
    number = decimal(value)
    if not 0 < number <= 100:
        raise Invalid.at("", "must be above 0, and 100 at most")
    return number
