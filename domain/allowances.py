"""How far a limit goes: limits together, what is carried over, and the answer to a check."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from domain.plans import Combine, OnLimit, Value

OF_AN_ANSWER = ("allowed", "limit", "soft_limit", "soft_limit_reached", "value")

_LENIENCE: tuple[OnLimit, ...] = ("block", "notify", "allow")
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """The whole answer to all checks of a feature until something changes. `limit` is None where there is none, `used` of
    what is not metered; `reason` tells why nothing may be used.
    """

    value: Value | None = None
    limit: Fraction | None = None
    soft_limit: Fraction | None = None
    on_limit: OnLimit = "block"
    used: Fraction | None = None
    resets_at: datetime | None = None
    reason: str | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to a check. `used`, `limit` and what remains are of a metered feature; no limit is None. What is held
    for calls that are under way counts as taken.
    """

    allowed: bool
    used: Fraction | None = None
    limit: Fraction | None = None
    resets_at: datetime | None = None
    reason: str | None = None
    remaining: Fraction | None = None
    soft_limit: Fraction | None = None
    soft_limit_reached: bool = False
    value: Value | None = None


def check_allowance(
    allowance: Allowance, quantity: Fraction, reserved: Fraction = _NOTHING
) -> Checked:
    """Whether so much more may be used: used + reserved + quantity ≤ limit, unless the limit only warns. A soft limit is
    reached where they come to it.
    """
    if allowance.reason is not None:
        return Checked(False, reason=allowance.reason)
    if allowance.used is None:
        return Checked(True, value=allowance.value)
    limit, soft = allowance.limit, allowance.soft_limit
    taken = allowance.used + reserved
    is_within = limit is None or taken + quantity <= limit
    is_soft = soft is not None and taken + quantity >= soft
    warning = "soft_limit_reached" if is_soft else None
    return Checked(
        allowed=is_within or allowance.on_limit != "block",
        used=allowance.used,
        limit=limit,
        resets_at=allowance.resets_at,
        reason=warning if is_within else "limit_reached",
        remaining=None if limit is None else max(limit - taken, _NOTHING),
        soft_limit=soft,
        soft_limit_reached=is_soft,
    )


def at_present(allowance: Allowance, reserved: Fraction = _NOTHING) -> Checked:
    """The answer for those who keep it: whether any more may be used, however little."""
    checked = check_allowance(allowance, _NOTHING, reserved)
    is_used_up = checked.remaining == 0 and allowance.on_limit == "block"
    return replace(checked, allowed=False, reason="limit_reached") if is_used_up else checked


def differs(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Whether an answer, as a document, is another for those who keep it: that some more was used is none."""
    return any(before.get(member) != now.get(member) for member in OF_AN_ANSWER)


def carried(limit: Fraction, used: Iterable[Fraction], maximum: Fraction | None) -> Fraction:
    """What is left, after each of some windows, of a limit and of what was carried into that window."""
    left = _NOTHING
    for each in used:
        left = max(limit + left - each, _NOTHING)
        left = left if maximum is None else min(left, maximum)
    return left


def generosity(state: Allowance) -> tuple[int, Fraction]:
    """The state that allows most is the greatest: what one of them allows, it allows."""
    if state.limit is None or state.used is None:
        return 2, _NOTHING
    return int(state.on_limit != "block"), state.limit - state.used


def added_up(states: Sequence[Allowance]) -> Allowance:
    """Limits and uses together. What was used beyond one limit takes nothing from the others."""
    if len(states) == 1:
        return states[0]
    limit = together("sum", [each.limit for each in states])
    resets = [each.resets_at for each in states if each.resets_at is not None]
    return Allowance(
        limit=limit,
        soft_limit=soft_limit_of("sum", [(each.limit, each.soft_limit) for each in states], limit),
        on_limit=most_lenient(each.on_limit for each in states),
        used=sum((_within(each) for each in states), _NOTHING),
        resets_at=min(resets, default=None),
    )


def _within(state: Allowance) -> Fraction:
    used = state.used or _NOTHING
    return used if state.limit is None else min(used, state.limit)


def together(combine: Combine, bounds: Sequence[Fraction | None]) -> Fraction | None:
    """Bounds together; one that is None is no bound at all."""
    known = [each for each in bounds if each is not None]
    if not known or len(known) < len(bounds):
        return None
    return sum(known, _NOTHING) if combine == "sum" else max(known)


def soft_limit_of(
    combine: Combine,
    bounds: Sequence[tuple[Fraction | None, Fraction | None]],
    limit: Fraction | None,
) -> Fraction | None:
    """Soft limits together, of limits each with its soft one: where there is none, it is the limit that counts."""
    if all(soft is None for _, soft in bounds):
        return None
    soft = together(combine, [hard if soft is None else soft for hard, soft in bounds])
    return None if soft == limit else soft


def most_lenient(choices: Iterable[OnLimit]) -> OnLimit:
    return max(choices, key=_LENIENCE.index)
