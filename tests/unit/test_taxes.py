"""What each rate takes of the net amount, and what of it is added to the total."""

from dataclasses import replace
from fractions import Fraction as F

import pytest

from domain.customers import TaxRate
from domain.taxes import tax
from tests.makings import line, usd


def rate(percent: str, inclusive: bool = False) -> TaxRate:
    return TaxRate(percent, F(percent), inclusive)


@pytest.mark.parametrize(("rates", "lines", "amounts", "added"), [
    pytest.param([], ["10"], [], "0", id="no rate"),
    pytest.param([rate("20")], ["10"], ["2"], "2", id="on top"),
    pytest.param([rate("20", True)], ["12"], ["2"], "0", id="within: 12 x 20/120"),
    pytest.param([rate("5"), rate("5")], ["10.30"], ["0.52", "0.52"], "1.04", id="each rounded on its own"),
    pytest.param([rate("21", True), rate("4", True)], ["23.09"], ["3.88", "0.74"], "0", id="within, by all inclusive rates together"),
    pytest.param([rate("10", True), rate("5")], ["110"], ["10", "5.50"], "5.50", id="one within, one on top of the price"),
    pytest.param([rate("20")], ["-10.02"], ["-2"], "-2", id="given back"),
    pytest.param([rate("5")], ["-0.10"], ["-0.01"], "-0.01", id="half a cent given back, away from zero"),
    pytest.param([rate("20")], ["10", "-10"], ["0"], "0", id="nothing in all"),
    pytest.param([rate("0")], ["10"], ["0"], "0", id="a rate of nothing"),
])  # fmt: skip
def test_rates(rates: list[TaxRate], lines: list[str], amounts: list[str], added: str) -> None:
    result = tax(tuple(line(amount) for amount in lines), rates, "USD")
    assert [each.amount for each in result.applied] == [usd(amount) for amount in amounts]
    owed = sum((each.owed.minor - each.net.minor for each in result.lines), 0)
    assert owed == usd(added).minor


def test_tax_is_taken_of_what_discounts_and_promotional_credits_left() -> None:
    reduced = replace(line("100"), discount=usd("20"), credits=usd("30"))
    (taxed,) = tax((reduced,), [rate("10")], "USD").lines
    assert (taxed.tax, taxed.owed) == (usd("5"), usd("55"))


def test_lines_share_each_rate_to_the_cent() -> None:
    lines = tax((line("0.05"), line("0.05")), [rate("10"), rate("10", True)], "USD").lines
    assert [each.tax for each in lines] == [usd("0.02"), usd("0")]
    assert [each.inclusive_tax for each in lines] == [usd("0.01"), usd("0")]
