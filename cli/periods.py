"""`weir periods`: when the periods of a subscription start."""

from cli.jsonlines import answer_standard_input
from domain.calculators.periods import answer_periods


def periods() -> None:
    """Answer JSON Lines of subscriptions' starts and intervals with the starts of their periods."""
    answer_standard_input(answer_periods)
