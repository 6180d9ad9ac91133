"""Custom units in which credit is given: what one of them is worth, and how many of them an amount of money is."""

from dataclasses import dataclass
from fractions import Fraction

from domain.currencies import read_currency
from domain.money import Money
from domain.reading import Fields, key, positive, text


@dataclass(frozen=True, slots=True)
class Unit:
    """One of it is worth `rate` in its currency. Whoever was given some keeps the rate of then."""

    key: str
    currency: str
    rate: Fraction

    def of(self, money: Money) -> Fraction:
        """How many of it an amount of its currency is."""
        return money.exact / self.rate


def read_unit(value: object, currency: str | None = None) -> Unit:
    """Read `{"key", "currency", "rate", "name"}`; `currency` is the one of a unit that names none."""
    fields = Fields(value)
    fields.nullable("name", text)
    unit = Unit(
        key=fields.required("key", key),
        currency=_currency_of(fields, currency),
        rate=fields.required("rate", positive),
    )
    fields.done()
    return unit


def _currency_of(fields: Fields, usual: str | None) -> str:
    if usual is None:
        return fields.required("currency", read_currency)
    return fields.optional("currency", read_currency, usual)
