"""`weir aggregate`: a period's usage events become the quantity that is billed."""

from cli.jsonlines import answer_standard_input
from domain.calculators.aggregating import answer_aggregate


def aggregate_events() -> None:
    """Answer JSON Lines of a meter, a period and its events with the period's quantity or groups."""
    answer_standard_input(answer_aggregate)
