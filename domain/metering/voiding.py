"""Voiding an event: taking it back, whole and for good, as if it had never been sent."""

from dataclasses import dataclass
from datetime import datetime

from domain.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Void:
    """An event of its own, that another counts no more from here on."""

    id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """An event that is in the log: `voids` is the one it takes back, where it is a void itself, and `void` the one that
    took it back already.
    """

    id: str
    voids: str | None = None
    void: Void | None = None


def void_of(asked: str, known: Known | None, wanted: Void) -> Void:
    """The void that stands for the event `asked`: the first one, whatever reason later ones give. Raises `NotFound`
    for an event that was never kept, and `Conflict` for one that is a void itself: what was taken back stays so.
    """
    if known is None:
        raise NotFound(f"there is no event {asked}")
    if known.voids is not None:
        raise Conflict(f"{asked} is the void of {known.voids}: a void is not voided")
    return known.void or wanted
