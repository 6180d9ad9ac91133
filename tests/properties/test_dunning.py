"""Laws of collecting an invoice, whatever the provider answers and the customer does."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.codec import from_plain, to_plain
from domain.dunning import Answer, Collection, answered, begin_collection, customer_acted
from domain.invoicing import Bill, issue
from tests.makings import ACME, JAN, charge

answers = st.sampled_from(
    [
        ("succeeded", None),
        ("failed", "insufficient_funds"),
        ("failed", "stolen_card"),
        ("requires_action", None),
        ("processing", None),
    ]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("attempt"), answers, st.integers(0, 3)),
        st.tuples(st.just("later word"), answers, st.integers(0, 9)),
        st.tuples(st.just("act"), st.booleans(), st.integers(0, 9)),
    ),
    max_size=20,
)


def lived_through(steps: list[tuple[str, object, int]]) -> list[Collection]:
    """Each state of a collection: attempts are made when they are due, late by some days."""
    issued = issue(Bill("invoice:1", "s1", ACME, "USD", JAN, JAN, (charge("20"),)))
    assert issued is not None
    states, now = [begin_collection(issued.invoice, "inv_1")], JAN
    for what, how, days in steps:
        due = states[-1]
        now = _reached(due, now) + timedelta(days=days) if what == "attempt" else now
        now = now if what == "attempt" else now + timedelta(days=days)
        states.append(_next(due, what, how, now))
    return states


def _reached(due: Collection, now: datetime) -> datetime:
    return max(now, due.next_attempt_at or now)


def _next(due: Collection, what: str, how: object, now: datetime) -> Collection:
    if what == "act":
        return customer_acted(due, now, bool(how))
    if (what == "attempt") != (due.next_attempt_at is not None):
        return due  # nothing is due; or an attempt is, and no word on the last one is awaited
    assert isinstance(how, tuple)
    status, code = how
    return answered(due, Answer(status, now, code))


@given(steps)
def test_what_is_paid_or_void_stays_so(steps: list[tuple[str, object, int]]) -> None:
    states = lived_through(steps)
    for before, after in pairwise(states):
        if before.status == "paid":
            assert after == before


@given(steps)
def test_something_is_always_awaited_or_over(steps: list[tuple[str, object, int]]) -> None:
    for state in lived_through(steps):
        is_due = state.next_attempt_at is not None
        waits = state.awaiting != "nothing"
        is_over = state.status in ("paid", "uncollectible")
        assert is_due or waits or is_over
        assert not (is_due and waits)


@given(steps)
def test_attempts_are_counted_one_by_one(steps: list[tuple[str, object, int]]) -> None:
    states = lived_through(steps)
    counts = [state.attempts for state in states]
    assert counts == sorted(counts)
    assert all(after - before in (0, 1) for before, after in pairwise(counts))


@given(steps)
def test_an_invoice_is_open_until_its_first_decline(steps: list[tuple[str, object, int]]) -> None:
    statuses = [state.status for state in lived_through(steps)]
    first = next((n for n, status in enumerate(statuses) if status != "open"), len(statuses))
    assert "open" not in statuses[first:]


@given(steps)
def test_a_collection_survives_being_written_down(steps: list[tuple[str, object, int]]) -> None:
    for state in lived_through(steps):
        assert from_plain(Collection, to_plain(state)) == state
