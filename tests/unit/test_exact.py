"""Arithmetic on decimals and fractions: exact, whatever the context in force would round to."""

from collections.abc import Callable, Iterator
from decimal import Context, Decimal, getcontext, setcontext
from fractions import Fraction

import pytest

from domain.calculators.rating import answer_rate
from domain.decimals import Exact, RoundingMode, plain, scaled
from domain.exact import as_exact, as_fraction, minus, plus, sum_of, times
from tests.public_cases import answered, line_of, read_cases

D = Decimal
THIRD = Fraction(1, 3)
NINES = D("9" * 38 + "." + "9" * 38)


@pytest.fixture(autouse=True)
def rounding() -> Iterator[None]:
    """The worst context there can be: it keeps one digit, and says nothing."""
    before = getcontext()
    setcontext(Context(prec=1, traps=[]))
    yield
    setcontext(before)


@pytest.mark.parametrize(("compute", "one", "other", "result"), [
    pytest.param(plus,  D("0.1"),  D("0.02"),   D("0.12"),        id="plus"),
    pytest.param(plus,  NINES,     D("1e-38"),  D("1e38"),        id="plus, of all digits"),
    pytest.param(plus,  D("0.5"),  THIRD,       Fraction(5, 6),   id="plus what has no end"),
    pytest.param(minus, D("1000"), D("0.001"),  D("999.999"),     id="minus"),
    pytest.param(minus, THIRD,     D("0.5"),    Fraction(-1, 6),  id="minus, of what has no end"),
    pytest.param(times, D("1.25"), D("-0.3"),   D("-0.375"),      id="times"),
    pytest.param(times, THIRD,     D("0.3"),    Fraction(1, 10),  id="times what has no end"),
    pytest.param(times, THIRD,     THIRD,       Fraction(1, 9),   id="two that have no end"),
])  # fmt: skip
def test_nothing_is_rounded(
    compute: Callable[[Exact, Exact], Exact], one: Exact, other: Exact, result: Exact
) -> None:
    computed = compute(one, other)
    assert computed == result
    assert type(computed) is type(result)


def test_the_longest_numbers_are_multiplied_to_the_last_digit() -> None:
    longest = times(times(NINES, NINES), times(NINES, NINES))
    assert as_fraction(longest) == as_fraction(NINES) ** 4


@pytest.mark.parametrize(("numbers", "result"), [
    pytest.param([],                          D(0),            id="of nothing"),
    pytest.param([D("0.1")] * 10,             D(1),            id="of decimals"),
    pytest.param([D("0.5"), THIRD, D("-0.5")], Fraction(1, 3), id="of both"),
])  # fmt: skip
def test_sums(numbers: list[Exact], result: Exact) -> None:
    assert sum_of(numbers) == result


@pytest.mark.parametrize(("number", "is_decimal"), [
    pytest.param(Fraction(1, 8),            True,  id="an end in binary and in tens"),
    pytest.param(Fraction(-7, 50),          True,  id="below zero"),
    pytest.param(Fraction(10**38),          True,  id="whole"),
    pytest.param(D("1.5"),                  True,  id="a decimal"),
    pytest.param(THIRD,                     False, id="no end"),
    pytest.param(Fraction(1, 2**1_000),     False, id="an end out of reach"),
    pytest.param(Fraction(10**300),         False, id="too large"),
])  # fmt: skip
def test_what_becomes_a_decimal(number: Exact, is_decimal: bool) -> None:
    exact = as_exact(number)
    assert exact == number
    assert (type(exact) is Decimal) == is_decimal


@pytest.mark.parametrize(("number", "text"), [
    ("0", "0"), ("-0", "0"), ("-0.00", "0"), ("1.50", "1.5"), ("100", "100"), ("007", "7"), ("-0.010", "-0.01"),
    ("0." + "0" * 37 + "1", "0." + "0" * 37 + "1"), ("9" * 38 + "." + "9" * 38, "9" * 38 + "." + "9" * 38),
])  # fmt: skip
def test_decimals_are_written_in_plain_notation(number: str, text: str) -> None:
    assert plain(D(number)) == text


@pytest.mark.parametrize(
    "number", ["0", "-0.5", "0.5", "1.005", "-1.005", "2.4999", "-2.5001", "15", "-15", "9" * 38]
)
@pytest.mark.parametrize("digits", [-1, 0, 2])
@pytest.mark.parametrize("mode", ["up", "down", "half_up"])
def test_decimals_are_rounded_as_fractions_are(
    number: str, digits: int, mode: RoundingMode
) -> None:
    assert scaled(D(number), digits, mode) == scaled(Fraction(number), digits, mode)


def test_rating_asks_for_no_context() -> None:
    """No operator of `Decimal` itself is used on the way: one would round, and no type tells."""
    lines = [line_of(case) for case in read_cases("rate")]
    here = answered(answer_rate, *lines)
    setcontext(Context(prec=500))
    assert answered(answer_rate, *lines) == here


def test_what_has_more_digits_than_a_decimal_may_goes_on_as_a_fraction() -> None:
    long = Decimal("1." + "1" * 900)
    for function, exact in (
        (times, Fraction(long) * Fraction(long)),
        (plus, Fraction(long) + Fraction(10) ** 200),
    ):
        other = long if function is times else Decimal(10) ** 200
        assert Fraction(function(long, other)) == exact
    assert Fraction(sum_of([long, Decimal(10) ** 200])) == Fraction(long) + Fraction(10) ** 200
