"""Amounts as Stripe counts them: whole units that are not always the minor units of ISO 4217.

Source: docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies", "Special cases".
"""

from fractions import Fraction

from domain.currencies import MINOR_DIGITS
from domain.errors import Corrupt
from domain.money import Money
from providers.payments.port import NotChargeable

# Stripe counts the ariary whole, and the krona and the Ugandan shilling in hundredths that must be 00.
_DIGITS_UNLIKE_ISO = {"ISK": 2, "MGA": 0, "UGX": 2}


def units_of(amount: Money, *, to_the_last_digit: bool = False) -> int:
    """The amount as the API takes it; raise `NotChargeable` where it cannot be said exactly.

    Card networks take three-decimal currencies in steps of ten: `to_the_last_digit` lifts that rule, for
    providers that do not have it.
    """
    units = amount.exact * 10 ** _digits(amount.currency)
    if units <= 0:
        raise NotChargeable(f"{amount} {amount.currency} is not an amount to move")
    if units.denominator != 1:
        raise NotChargeable(
            f"{amount} {amount.currency} has more decimals than the provider counts"
        )
    if MINOR_DIGITS[amount.currency] == 3 and units % 10 and not to_the_last_digit:
        raise NotChargeable(f"{amount} {amount.currency} must end in 0 for the provider to take it")
    return int(units)


def amount_of(units: int, currency: str) -> Money:
    """The amount that the API means by `units`; `currency` as the API writes it."""
    code = currency.upper()
    if code not in MINOR_DIGITS:
        raise Corrupt(f"the provider speaks of a currency that we do not know: {currency}")
    minor = Fraction(units) * 10 ** MINOR_DIGITS[code] / 10 ** _digits(code)
    if minor.denominator != 1:
        raise Corrupt(f"the provider moved {units} units of {code}: not whole minor units")
    return Money(int(minor), code)


def _digits(currency: str) -> int:
    return _DIGITS_UNLIKE_ISO.get(currency, MINOR_DIGITS[currency])
