"""Rating a graduated price of 20 tiers, against a bare loop of the same number of the same exact operations."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from time import process_time

from domain.pricing.price import read_price
from domain.pricing.usage import Quantity
from domain.rating import rate

TIERS = 20
ROUNDS = 2_000
BEST_OF = 5


def measure() -> Iterator[str]:
    price = read_price({"model": "graduated", "tiers": [_tier(number) for number in range(TIERS)]})
    usage = Quantity(Fraction("19500.5"))
    rated = _best(lambda: rate(price, usage))
    bare = _best(_bare_loop)
    yield f"a graduated price of {TIERS} tiers: {rated / bare:.2f} times the bare loop (at most 3)"


def _tier(number: int) -> dict[str, str | None]:
    last = number == TIERS - 1
    return {
        "up_to": None if last else str((number + 1) * 1000),
        "unit_amount": f"0.{number + 1:04}",
    }


def _bare_loop() -> Fraction:
    units, unit_amount, amount = Fraction("1000.5"), Fraction("0.0007"), Fraction(0)
    for _ in range(TIERS):
        amount += units * unit_amount
    return amount


def _best(work: Callable[[], object]) -> float:
    """Seconds of processor time of the quickest of a few runs: the least disturbed one."""
    seconds = []
    for _ in range(BEST_OF):
        begun = process_time()
        for _ in range(ROUNDS):
            work()
        seconds.append(process_time() - begun)
    return min(seconds)
