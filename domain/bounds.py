"""What the books, and the calendar, can hold. What is beyond it is refused where it is made known, and never found out by a failing step."""

from collections.abc import Mapping
from fractions import Fraction

from domain.calendar import Interval, Unit

# A line, a grant, a commitment. All lines of an invoice together stay below 2^63 minor units in every currency.
LARGEST_AMOUNT = Fraction(10**13)

TOO_LARGE = f"comes to more than {LARGEST_AMOUNT}, the most that can be invoiced"


# A thousand years, give or take: no life comes to the end of the calendar.
LONGEST: Mapping[Unit, int] = {
    "hour": 8_766_000,
    "day": 365_250,
    "week": 52_178,
    "month": 12_000,
    "year": 1_000,
}

TOO_LONG = "must not be longer than a thousand years"


def is_too_long(interval: Interval) -> bool:
    return interval.count > LONGEST[interval.unit]


def is_too_large(amount: Fraction) -> bool:
    return abs(amount) > LARGEST_AMOUNT
