"""Rating usage under a price, asked and answered as JSON."""

import marshal
from collections.abc import Mapping
from typing import Any, cast

from domain.currencies import read_currency
from domain.decimals import plain
from domain.money import settle
from domain.pricing.price import Price, read_price, usage_shape
from domain.pricing.steps import written
from domain.pricing.usage import Usage, read_usage
from domain.rating import rate as rate_usage
from domain.reading import Fields

PRICES_REMEMBERED = 1_024
PRICES_SEEN = 16_384
LONGEST_REMEMBERED = 8_192  # bytes: a bound on what all of them take together


def answer_rate(line: Mapping[str, object]) -> dict[str, object]:
    """Rate one line's usage under its price; raise `Invalid` with every fault in the line."""
    fields = Fields(line)
    currency = fields.required("currency", read_currency)
    price: Price | None = fields.required("price", _read_price)

    def read(value: object) -> Usage:
        return read_usage(value, None if price is None else usage_shape(price))

    usage = fields.required("usage", read)
    fields.done()
    assert price is not None  # or `done` had raised
    rated = rate_usage(price, usage)
    return {
        "amount": plain(rated.exact),
        "rounded": str(settle(rated.exact, currency)),
        "trace": [written(step) for step in rated.trace],
    }


def _read_price(value: object) -> Price:
    """Read a price, or remember it: most lines of a file have the same few.

    marshal tells every two JSON values apart and is much quicker than reading a price; it does not take the
    inexact numbers, which are faults anyway.
    """
    try:
        marshalled = marshal.dumps(cast(Any, value), 0)
    except ValueError:
        return read_price(value)
    return _remembered.get(marshalled) or _remember(marshalled, read_price(value))


def _remember(marshalled: bytes, price: Price) -> Price:
    """Keep a price that is seen for the second time: of a file with another price on every line, none."""
    if len(marshalled) > LONGEST_REMEMBERED:
        return price
    if len(_remembered) >= PRICES_REMEMBERED or len(_seen) >= PRICES_SEEN:
        _remembered.clear()
        _seen.clear()
    seen = hash(marshalled)
    if seen in _seen:
        _remembered[marshalled] = price
    _seen.add(seen)
    return price


_remembered: dict[bytes, Price] = {}
_seen: set[int] = set()
