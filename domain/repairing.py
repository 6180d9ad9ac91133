"""What is to be done about a life: what the books say of it, held against what Temporal makes of it. No clock, no I/O."""

from dataclasses import dataclass
from typing import Literal

from domain import dunning
from domain.dunning import Collection

Kind = Literal[
    "subscription",
    "collection",
    "top-up",
    "credit grant",
    "refund",
    "payment",
    "test clock",
    "late usage",
    "errand",
]
# What the books say: it is to go on, it is over, or they know of no such life.
Standing = Literal["goes_on", "over", "unknown"]
Verdict = Literal["well", "moving", "missing", "wrong", "orphan", "waits", "silent"]
TO_MEND: frozenset[Verdict] = frozenset({"missing", "wrong", "orphan"})


@dataclass(frozen=True, slots=True)
class Seen:
    """How a life is led. `agrees` says whether its state is the one in the books, None where it did not tell;
    `moves` that it did not stand still while it was looked at; `calls` that a step of it has given up.
    """

    runs: bool
    agrees: bool | None = True
    moves: bool = False
    calls: bool = False


def judge(standing: Standing, seen: Seen) -> Verdict:
    """Only a difference that stays is wrong: a step that is under way may be ahead of its life, or behind. What is over
    in the books may run on for a while, as long as it knows: somebody waits there for an answer.
    """
    if not seen.runs:
        return "missing" if standing == "goes_on" else "well"
    if standing == "unknown":
        return "orphan"
    if seen.agrees is None:
        return "silent"
    if not seen.agrees:
        return "moving" if seen.moves else "wrong"
    return "waits" if seen.calls else "well"


def same(in_the_books: object, running: object) -> bool:
    """Whether a life's state is the one in the books. A collection knows of the customer's wish to pay before an attempt
    comes of it: that is no difference, and would be lost.
    """
    if running == in_the_books:
        return True
    if not isinstance(in_the_books, Collection) or not isinstance(running, Collection):
        return False
    at = running.next_attempt_at
    return at is not None and running == dunning.customer_acted(in_the_books, at, True)
