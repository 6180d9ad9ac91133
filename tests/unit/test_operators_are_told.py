"""What operators read of a life: whatever it waits for has words."""

from typing import get_args

from domain.subscription import Reason
from workflows.visibility import WAITS_FOR


def test_everything_that_can_be_due_has_words() -> None:
    assert set(WAITS_FOR) == set(get_args(Reason))
