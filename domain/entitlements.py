"""What a customer may use: what gives a feature, what that comes to together, and how far a limit goes.

What gives it are the plans of the customer's subscriptions, their add-ons, and an override for the customer. A boolean
feature is there where one of them gives it. A static one has the value of the override before that of the newest add-on
before that of the oldest subscription's plan. Limits add up or the highest counts, by the feature's `combine`; limits of
one subscription that are reset at other times stand beside each other like those of two subscriptions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.add_ons import entitlements_of
from domain.allowances import (
    Allowance,
    added_up,
    carried,
    generosity,
    most_lenient,
    soft_limit_of,
    together,
)
from domain.calendar import Period
from domain.changing.unpaid import is_suspended
from domain.plans import Combine, Entitlement, Feature, Plan, Reset, Value
from domain.resets import Windows, windows_of, windows_since
from domain.subscription import Subscription

Origin = Literal["plan", "add_on", "override"]
Withheld = Literal["incomplete", "past_due"]

_PRECEDENCE: tuple[Origin, ...] = ("override", "add_on", "plan")


@dataclass(frozen=True, slots=True)
class Source:
    """What gives a feature."""

    origin: Origin
    entitlement: Entitlement


@dataclass(frozen=True, slots=True)
class Standing:
    """What a living subscription gives of a feature: nothing, where there are no sources; nothing for the time being,
    where it is `withheld`. `is_own` is false of a parent's that pools the customer's usage.
    """

    subscription: Subscription
    sources: tuple[Source, ...] = ()
    withheld: Withheld | None = None
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class Override:
    """What one customer is given beside all plans, from `since` until it expires."""

    entitlement: Entitlement
    since: datetime
    expires_at: datetime | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Claim:
    """Limits that share a window, as they come to together. `subscription` is the one whose usage counts; the customer's
    does, all of it, where it is None.
    """

    subscription: Subscription | None
    entitlement: Entitlement
    windows: Windows

    @property
    def measured(self) -> tuple[Period, ...]:
        """The windows of which it matters what was used, the present one last."""
        before = self.windows.before if self.entitlement.carry_over else ()
        return (*before, self.windows.current)


@dataclass(frozen=True, slots=True)
class Entitled:
    """What a customer has of a feature, before it is known what was used: `claims` of a metered one, the `value` of a
    static one. With a `reason` it is nothing at all. It is so until an instant, if nothing else happens.
    """

    claims: tuple[Claim, ...] = ()
    value: Value | None = None
    reason: str | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What was used in the window of a claim, and in each of those before it."""

    used: Fraction
    before: tuple[Fraction, ...] = ()

    @classmethod
    def of(cls, quantities: Sequence[Fraction]) -> "Use":
        """Of what was used in each of the windows that are measured, the present one last."""
        *before, used = quantities
        return cls(used, tuple(before))


def standing(subscription: Subscription, plan: Plan, feature: str) -> Standing | None:
    """What a subscription gives of a feature now; None while it is paused, before its start and after its end. What it
    would give, but for a payment, is withheld.
    """
    if subscription.status not in ("incomplete", "trialing", "active"):
        return None
    newest_first = reversed(subscription.living_add_ons)
    added = (each for add_on in newest_first for each in entitlements_of(add_on))
    sources = (
        *(Source("plan", each) for each in plan.entitlements),
        *(Source("add_on", each) for each in added),
    )
    giving = tuple(s for s in sources if s.entitlement.feature == feature and _gives(s.entitlement))
    return Standing(subscription, giving, _withheld(subscription, plan))


def entitled(
    feature: Feature, standings: Sequence[Standing], override: Override | None, at: datetime
) -> Entitled:
    """What a customer has of a feature at an instant, by the standings of its subscriptions, the oldest first."""
    expired = override is not None and override.expires_at is not None and override.expires_at <= at
    given = None if expired else override
    until = given.expires_at if given is not None else None
    giving = [each for each in standings if each.withheld is None]
    if given is None and not any(each.sources for each in giving):
        reasons = [each.withheld for each in standings if each.withheld and each.sources]
        return Entitled(reason=reasons[0] if reasons else "not_entitled")
    if feature.type != "metered":
        sources = [source for each in giving for source in each.sources]
        if given is not None:
            sources.append(Source("override", given.entitlement))
        value = _preferred(sources) if feature.type == "static" else None
        return Entitled(value=value, valid_until=until)
    claims = tuple(_claims(feature, giving, given, at))
    ends = [claim.windows.current.end for claim in claims]
    return Entitled(claims, valid_until=min(filter(None, [*ends, until]), default=None))


def allowance(feature: Feature, has: Entitled, uses: Sequence[Use]) -> Allowance:
    """What a customer may use, where so much of each claim was used."""
    if has.reason is not None or not has.claims:
        return Allowance(value=has.value, reason=has.reason, valid_until=has.valid_until)
    states = [_state(claim, use) for claim, use in zip(has.claims, uses, strict=True)]
    whole = added_up(states) if feature.combine == "sum" else max(states, key=generosity)
    return replace(whole, valid_until=has.valid_until)


def combined(entitlements: Sequence[Entitlement], combine: Combine) -> Entitlement:
    """What limits of one feature, reset at the same times, come to. None takes anything away from another: beyond the
    limit the most lenient counts, and what one carries over is carried over.
    """
    first, *others = entitlements
    if not others:
        return first
    limit = together(combine, [each.limit for each in entitlements])
    carrying = [each for each in entitlements if each.carry_over]
    return replace(
        first,
        limit=limit,
        soft_limit=soft_limit_of(
            combine, [(each.limit, each.soft_limit) for each in entitlements], limit
        ),
        on_limit=most_lenient(each.on_limit for each in entitlements),
        carry_over=bool(carrying),
        carry_over_maximum=together(combine, [each.carry_over_maximum for each in carrying]),
    )


def _gives(entitlement: Entitlement) -> bool:
    return entitlement.type == "static" or bool(entitlement.value)


def _withheld(subscription: Subscription, plan: Plan) -> Withheld | None:
    if subscription.status == "incomplete":
        return "incomplete"
    return "past_due" if is_suspended(subscription, plan) else None


def _preferred(sources: Sequence[Source]) -> Value:
    """The value of the first source of the highest precedence."""
    return min(sources, key=lambda source: _PRECEDENCE.index(source.origin)).entitlement.value


def _claims(
    feature: Feature, giving: Sequence[Standing], override: Override | None, at: datetime
) -> Iterable[Claim]:
    """An override stands with what the customer's oldest subscription gives: its limit is reset with that one's."""
    host = next((each for each in giving if each.is_own), None)
    for each in giving:
        given = [source.entitlement for source in each.sources]
        if override is not None and each is host:
            given.append(override.entitlement)
        for reset, limits in _by_reset(given).items():
            windows = windows_of(each.subscription, reset, at)
            yield Claim(each.subscription, combined(limits, feature.combine), windows)
    if override is not None and host is None:
        reset = override.entitlement.reset
        windows = windows_since(override.since, override.timezone, reset, at)
        yield Claim(None, override.entitlement, windows)


def _by_reset(entitlements: Iterable[Entitlement]) -> dict[Reset, list[Entitlement]]:
    groups: dict[Reset, list[Entitlement]] = {}
    for each in entitlements:
        groups.setdefault(each.reset, []).append(each)
    return groups


def _state(claim: Claim, use: Use) -> Allowance:
    """One claim as if it were all: its limit is with what was carried over."""
    given, windows = claim.entitlement, claim.windows
    limit = given.limit
    if limit is not None and given.carry_over:
        limit += carried(limit, use.before, given.carry_over_maximum)
    return Allowance(
        limit=limit,
        soft_limit=given.soft_limit,
        on_limit=given.on_limit,
        used=use.used,
        resets_at=windows.current.end if windows.ends else None,
    )
