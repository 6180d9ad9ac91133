"""`weir rate`: the price models, pure."""

from cli.jsonlines import answer_standard_input
from domain.calculators.rating import answer_rate


def rate() -> None:
    """Rate usage: JSON Lines of {id, currency, price, usage} in, {id, amount, rounded, trace} out."""
    answer_standard_input(answer_rate)
