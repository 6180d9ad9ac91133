"""How far a limit goes: what a check is answered, and when an answer is another."""

from fractions import Fraction as F

import pytest

from domain.allowances import Allowance, at_present, check_allowance, differs
from domain.documents import answer_document
from domain.plans import OnLimit
from tests.makings import FEB


def of(
    limit: str | None, used: int, soft: str | None = None, on_limit: OnLimit = "block"
) -> Allowance:
    return Allowance(
        limit=None if limit is None else F(limit),
        soft_limit=None if soft is None else F(soft),
        on_limit=on_limit,
        used=F(used),
        resets_at=FEB,
    )


@pytest.mark.parametrize(("limit", "on_limit", "used", "reserved", "quantity", "allowed", "reason", "remaining"), [
    ("10", "block", 8, 0, 2, True, None, 2),
    ("10", "block", 8, 0, 3, False, "limit_reached", 2),
    ("10", "block", 8, 1, 2, False, "limit_reached", 1),  # what is held is taken
    ("10", "block", 8, 1, 1, True, None, 1),
    ("10", "block", 10, 0, 0, True, None, 0),
    ("10", "block", 12, 0, 0, False, "limit_reached", 0),
    ("10", "allow", 12, 0, 1, True, "limit_reached", 0),
    ("10", "notify", 12, 0, 1, True, "limit_reached", 0),
    (None, "block", 12, 0, 1000, True, None, None),
    ("0", "block", 0, 0, 1, False, "limit_reached", 0),
])  # fmt: skip
def test_limits(
    limit: str | None,
    on_limit: OnLimit,
    used: int,
    reserved: int,
    quantity: int,
    allowed: bool,
    reason: str | None,
    remaining: int | None,
) -> None:
    checked = check_allowance(of(limit, used, on_limit=on_limit), F(quantity), F(reserved))
    assert (checked.allowed, checked.reason, checked.remaining) == (allowed, reason, remaining)
    assert checked.used == used
    assert checked.resets_at == FEB


@pytest.mark.parametrize(("limit", "used", "quantity", "reason"), [
    ("10", 6, 1, None),
    ("10", 7, 1, "soft_limit_reached"),
    ("10", 8, 0, "soft_limit_reached"),
    ("10", 8, 3, "limit_reached"),
    (None, 8, 3, "soft_limit_reached"),
])  # fmt: skip
def test_soft_limits_only_tell(limit: str | None, used: int, quantity: int, reason: str) -> None:
    checked = check_allowance(of(limit, used, soft="8"), F(quantity))
    assert checked.reason == reason
    assert checked.allowed == (reason != "limit_reached")
    assert checked.soft_limit_reached == (reason is not None)


@pytest.mark.parametrize(("before", "now", "is_another"), [
    (of("10", 8), of("10", 9), False),
    (of("10", 8), of("10", 10), True),  # nothing is left
    (of("10", 8), of("11", 8), True),
    (of("10", 8, soft="9"), of("10", 9, soft="9"), True),
    (of("10", 10, on_limit="allow"), of("10", 12, on_limit="allow"), False),
    (Allowance(value="eu"), Allowance(value="us"), True),
    (Allowance(value=("a", "b")), Allowance(value=("a", "b")), False),
    (Allowance(), Allowance(reason="past_due"), True),
])  # fmt: skip
def test_which_answers_are_others(before: Allowance, now: Allowance, is_another: bool) -> None:
    told, tells = (answer_document(at_present(each)) for each in (before, now))
    assert differs(told, tells) == is_another


def test_what_is_held_may_be_the_last() -> None:
    assert at_present(of("10", 8), F(1)).allowed
    assert not at_present(of("10", 8), F(2)).allowed
