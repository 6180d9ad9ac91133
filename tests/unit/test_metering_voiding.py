"""Which void stands for an event: the first, and none for what was never kept or is a void itself."""

import pytest

from domain.errors import Conflict, NotFound, Rejected
from domain.metering.voiding import Known, Void, void_of
from domain.reading import instant

FIRST = Void("evt_1", "sent twice", instant("2026-01-02T00:00:00Z"))
WANTED = Void("evt_2", "a test", instant("2026-01-03T00:00:00Z"))


@pytest.mark.parametrize(
    ("known", "stands"),
    [(Known("e1"), WANTED), (Known("e1", void=FIRST), FIRST), (Known("e1", void=WANTED), WANTED)],
    ids=["never voided", "voided before, for another reason", "the same void again"],
)
def test_the_first_void_stands(known: Known, stands: Void) -> None:
    assert void_of("e1", known, WANTED) == stands


@pytest.mark.parametrize(
    ("known", "error", "message"),
    [
        (None, NotFound, "there is no event e1"),
        (Known("e1", voids="e0"), Conflict, "e1 is the void of e0: a void is not voided"),
    ],
)
def test_what_cannot_be_voided_is_told(
    known: Known | None, error: type[Rejected], message: str
) -> None:
    with pytest.raises(error, match=message):
        void_of("e1", known, WANTED)
