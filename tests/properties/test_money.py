"""Nothing is lost in cents, and no part is off by a whole one."""

from fractions import Fraction as F

from hypothesis import given
from hypothesis import strategies as st

from domain.decimals import fixed, plain, read_decimal, round_to
from domain.money import Money, apportion, settle, share, total

denominators = st.sampled_from([1, 3, 7, 100, 200, 997, 10**6])
exact = st.builds(F, st.integers(-(10**6), 10**6), denominators)
weights = st.lists(st.builds(F, st.integers(0, 10**6), denominators), min_size=1, max_size=12)
parts = st.lists(exact, max_size=12)
currencies = st.sampled_from(["USD", "JPY", "KWD", "CLF"])


@given(parts, currencies)
def test_parts_add_up_to_their_settled_sum(parts: list[F], currency: str) -> None:
    assert total(apportion(parts, currency), currency) == settle(sum(parts, F(0)), currency)


@given(parts, currencies)
def test_no_part_is_off_by_a_minor_unit(parts: list[F], currency: str) -> None:
    unit = Money(1, currency).exact
    for part, money in zip(parts, apportion(parts, currency), strict=True):
        assert abs(money.exact - part) < unit


@given(st.integers(-(10**6), 10**6), weights)
def test_shares_add_up_to_what_is_shared(minor: int, weights: list[F]) -> None:
    amount = Money(minor if any(weights) else 0, "USD")
    assert total(share(amount, weights), "USD") == amount


@given(exact, st.integers(0, 6))
def test_half_up_is_the_nearest_and_away_from_zero(number: F, digits: int) -> None:
    step = F(1, 10**digits)
    rounded = round_to(number, digits, "half_up")
    assert abs(rounded - number) <= step / 2
    assert abs(rounded - number) < step / 2 or abs(rounded) > abs(number)
    assert F(fixed(number, digits)) == rounded


@given(exact, st.integers(-3, 6))
def test_up_and_down_enclose_the_number(number: F, digits: int) -> None:
    step = F(10) ** -digits
    up, down = (abs(round_to(number, digits, mode)) for mode in ("up", "down"))
    assert down <= abs(number) <= up
    assert up - down == (0 if number % step == 0 else step)


@given(st.integers(-(10**40), 10**40), st.integers(0, 38))
def test_decimals_are_written_as_they_are(units: int, digits: int) -> None:
    number = F(units, 10**digits)
    text = plain(number)
    assert F(text) == number
    assert text == "0" or not text.startswith("-0") or text.startswith("-0.")
    assert "." not in text or not text.endswith(("0", "."))
    if abs(units) < 10**38:
        assert read_decimal(text) == number
