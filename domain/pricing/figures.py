"""Figures: the numbers of prices as users write them. Each has an end, so all are decimals."""

from decimal import Decimal

from domain.decimals import Exact, read_exact
from domain.errors import Invalid
from domain.exact import HUNDREDTH, times
from domain.reading import decimal_text


def figure(value: object) -> Decimal:
    """An exact decimal string, or a JSON integer."""
    try:
        return read_exact(value if type(value) is str else decimal_text(value))
    except ValueError as error:
        raise Invalid.at("", str(error)) from None


def not_negative(value: object) -> Decimal:
    number = figure(value)
    if number < 0:
        raise Invalid.at("", "must not be negative")
    return number


def positive(value: object) -> Decimal:
    number = figure(value)
    if number <= 0:
        raise Invalid.at("", "must be greater than zero")
    return number


def percent(value: object) -> Decimal:
    number = figure(value)
    if not 0 <= number <= 100:
        raise Invalid.at("", "must be from 0 to 100")
    return number


def percentage(value: object) -> Exact:
    """A percentage of any size and sign, as a share of one: 2.9 is 0.029."""
    return times(figure(value), HUNDREDTH)
