"""What is due next in a simulated world: the earliest instant, then its phases, then in the order of creation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.simulation.books import Books
from domain.subscription import Phase

What = Literal["attempt", "gathered_usage", "boundary", "expiry"]


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, and how much of what is due at it happens."""

    at: datetime
    phase: Phase

    def has_come(self, to: "Moment") -> bool:
        return (self.at, self.phase) <= (to.at, to.phase)


@dataclass(frozen=True, slots=True)
class DueThing:
    """`what` is due of the invoice, subscription or grant that `of` names."""

    moment: Moment
    what: What
    of: str


def next_due(books: Books, gathering: dict[str, datetime]) -> DueThing | None:
    """The earliest of all that is due; `gathering` are the subscriptions whose usage of a day waits for its end."""
    return min(
        _all_due(books, gathering),
        key=lambda due: (due.moment.at, due.moment.phase),
        default=None,
    )


def _all_due(books: Books, gathering: dict[str, datetime]) -> Iterator[DueThing]:
    """In the order of creation within each kind, attempts before what issues new invoices."""
    oldest_first = sorted(
        books.due_attempts.values(), key=lambda due: books.invoices[due.invoice].number or ""
    )
    for collection in oldest_first:
        if collection.next_attempt_at is not None:
            moment = Moment(collection.next_attempt_at, collection.next_phase)
            yield DueThing(moment, "attempt", collection.invoice)
    for key, day_end in gathering.items():
        yield DueThing(Moment(day_end, Phase.PERIODS), "gathered_usage", key)
    for key, subscription in books.subscriptions.items():
        boundary = subscription.next_boundary()
        if boundary is not None:
            yield DueThing(Moment(boundary.at, boundary.phase), "boundary", key)
    for id, balance in books.standing.items():
        if balance.grant.expires_at is not None:
            yield DueThing(Moment(balance.grant.expires_at, Phase.EXPIRIES), "expiry", id)
