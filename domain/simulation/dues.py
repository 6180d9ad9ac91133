"""What is due next in a simulated world: the earliest instant, then its phases, then in the order of creation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from domain.credits import Grant
from domain.simulation.books import Books
from domain.subscription import Phase

What = Literal["attempt", "step", "expiry"]


class Moment(NamedTuple):
    """An instant, and how much of what is due at it happens. In their order, by instant and then phase."""

    at: datetime
    phase: Phase

    def has_come(self, to: "Moment") -> bool:
        return self <= to


@dataclass(frozen=True, slots=True)
class DueThing:
    """`what` is due of the invoice, subscription or grant that `of` names."""

    moment: Moment
    what: What
    of: str


def next_due(books: Books) -> DueThing | None:
    """The earliest of all that is due."""
    return min(_all_due(books), key=lambda due: due.moment, default=None)


def _all_due(books: Books) -> Iterator[DueThing]:
    """In the order of creation within each kind, attempts before what issues new invoices."""
    oldest_first = sorted(
        books.due_attempts.values(), key=lambda due: books.invoices[due.invoice].number or ""
    )
    for collection in oldest_first:
        if collection.next_attempt_at is not None:
            moment = Moment(collection.next_attempt_at, collection.next_phase)
            yield DueThing(moment, "attempt", collection.invoice)
    for key, subscription in books.subscriptions.items():
        step = subscription.next_step()
        if step is not None:
            yield DueThing(Moment(step.at, step.phase), "step", key)
    for id, balance in books.standing.items():
        if balance.grant.expires_at is not None:
            at = max(_end_of(books, balance.grant), balance.grant.granted_at)
            yield DueThing(Moment(at, Phase.EXPIRIES), "expiry", id)


def _end_of(books: Books, grant: Grant) -> datetime:
    """When its end is posted: its subscription may have it wait."""
    assert grant.expires_at is not None
    living = books.subscriptions.get(grant.subscription or "")
    if living is None or living.is_over:
        return grant.expires_at
    watched = (timer for timer in living.grants if timer.grant == grant.id)
    timer = next(watched, None)
    return grant.expires_at if timer is None else living.expiry(timer).at
