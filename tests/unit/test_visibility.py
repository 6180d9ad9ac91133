"""What operators are told of a life: whatever it waits for, in words."""

from typing import get_args

from domain.subscription import Reason
from workflows.visibility import WAITS_FOR


def test_whatever_a_subscription_waits_for_has_words() -> None:
    assert set(WAITS_FOR) == set(get_args(Reason))
