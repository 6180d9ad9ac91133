"""Rating a graduated price of 20 tiers, against a bare loop of the same number of the same exact operations: a product and
a sum of decimals for each tier, in the context that traps whatever would round.

The price is read once and charged again and again, as it is for the subscriptions that have it.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from time import process_time

from domain.decimals import EXACTLY
from domain.pricing.price import read_price
from domain.pricing.usage import Quantity
from domain.rating import rate

TIERS = 20
ROUNDS = 2_000
BEST_OF = 9


def measure() -> Iterator[str]:
    price = read_price({"model": "graduated", "tiers": [_tier(number) for number in range(TIERS)]})
    usage = Quantity(Fraction("19500.5"))
    turns = [(_seconds(lambda: rate(price, usage)), _seconds(_bare_loop)) for _ in range(BEST_OF)]
    rated, bare = min(rated for rated, _ in turns), min(bare for _, bare in turns)
    yield f"a graduated price of {TIERS} tiers: {rated / bare:.2f} times the bare loop (at most 3)"


def _tier(number: int) -> dict[str, str | None]:
    last = number == TIERS - 1
    return {
        "up_to": None if last else str((number + 1) * 1000),
        "unit_amount": f"0.{number + 1:04}",
    }


def _bare_loop() -> Decimal:
    units, unit_amount, amount = Decimal("1000.5"), Decimal("0.0007"), Decimal(0)
    for _ in range(TIERS):
        amount = EXACTLY.add(amount, EXACTLY.multiply(units, unit_amount))
    return amount


def _seconds(work: Callable[[], object]) -> float:
    """Of processor time. The two are measured by turns, and of each the least disturbed turn counts."""
    begun = process_time()
    for _ in range(ROUNDS):
        work()
    return process_time() - begun
