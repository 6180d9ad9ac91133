"""Tax on what is left after discounts and promotional credits: each rate rounded once, none on another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from domain.customers import TaxRate
from domain.invoices import AppliedTax, Line
from domain.money import Money, settle, share


@dataclass(frozen=True, slots=True)
class Taxed:
    """Lines with their shares of taxes. `shares` are each line's part of each that was `applied`."""

    lines: tuple[Line, ...]
    applied: tuple[AppliedTax, ...]
    shares: tuple[tuple[Money, ...], ...] = ()


def tax(lines: tuple[Line, ...], rates: Sequence[TaxRate], currency: str) -> Taxed:
    """Charge each rate on the net amount, and give the lines their shares. An inclusive rate is a part of that
    amount: net × rate ÷ (100 + the sum of inclusive rates).
    """
    net = [line.net.exact for line in lines]
    inclusive = sum((rate.percent for rate in rates if rate.inclusive), Fraction(0))
    applied: list[AppliedTax] = []
    shares: list[tuple[Money, ...]] = []
    for rate in rates:
        divisor = 100 + inclusive if rate.inclusive else Fraction(100)
        amount = settle(sum(net, Fraction(0)) * rate.percent / divisor, currency)
        parts = share(amount, net)
        lines = tuple(
            replace(
                line,
                tax=line.tax + part,
                inclusive_tax=line.inclusive_tax + part if rate.inclusive else line.inclusive_tax,
            )
            for line, part in zip(lines, parts, strict=True)
        )
        shares.append(parts)
        applied.append(AppliedTax(rate.key, rate.percent, rate.inclusive, amount))
    return Taxed(lines, tuple(applied), tuple(shares))
