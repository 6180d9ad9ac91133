"""Laws of balances: they are the sums of postings, more is known later, and in the end all of it."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.balances import Look, Recorded, left_of_grants
from domain.credits import Grant
from domain.ledger import Posting, Transaction, balance, credits_of, receivable
from domain.money import Money
from tests.makings import JAN

instants = st.integers(0, 40).map(lambda hours: JAN + timedelta(hours=hours))
GRANTS = tuple(
    Grant(id, id, "acme", "prepaid", Money(1, "USD"), 50, JAN, JAN) for id in ("a", "b", "c")
)


def moved(number: int, grant: str, minor: int, at: datetime) -> Transaction:
    amount = Money(minor, "USD")
    postings = (Posting(credits_of(grant), -amount), Posting(receivable("acme"), amount))
    return Transaction(f"t{number}", "burn", at, postings)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Recorded]:
    """Transactions in the order in which they were recorded, each of an instant of its own."""
    size = draw(st.integers(0, 12))
    recorded = sorted(draw(st.lists(instants, min_size=size, max_size=size)))
    return [
        Recorded(
            moved(n, draw(st.sampled_from("abc")), draw(st.integers(-99, 99)), draw(instants)), when
        )
        for n, when in enumerate(recorded)
    ]


def left(entries: list[Recorded], at: datetime, known_at: datetime | None) -> dict[str, int]:
    look = Look(at, known_at)
    return {each.grant.id: each.remaining.minor for each in left_of_grants(entries, GRANTS, look)}


@given(entries=ledgers(), at=instants, known_at=instants)
def test_a_balance_is_the_sum_of_what_had_happened_and_was_known(
    entries: list[Recorded], at: datetime, known_at: datetime
) -> None:
    seen = [
        each.transaction
        for each in entries
        if each.transaction.at <= at and each.recorded_at <= known_at
    ]
    for grant, minor in left(entries, at, known_at).items():
        assert balance(seen, credits_of(grant), "USD") == Money(-minor, "USD")


@given(entries=ledgers(), at=instants)
def test_once_all_is_recorded_it_is_the_plain_balance(
    entries: list[Recorded], at: datetime
) -> None:
    last = max((each.recorded_at for each in entries), default=at)
    assert left(entries, at, last) == left(entries, at, None)


@given(entries=ledgers(), at=instants, known_at=instants, later=ledgers())
def test_what_was_known_is_never_told_otherwise(
    entries: list[Recorded], at: datetime, known_at: datetime, later: list[Recorded]
) -> None:
    """Whatever is recorded later, of whatever instant, the answer for an earlier knowledge stays as it was."""
    after = [each for each in later if each.recorded_at > known_at]
    assert left([*entries, *after], at, known_at) == left(entries, at, known_at)


@given(entries=ledgers(), at=instants, one=instants, other=instants)
def test_knowledge_only_grows(
    entries: list[Recorded], at: datetime, one: datetime, other: datetime
) -> None:
    earlier, later = sorted((one, other))
    assert left(entries, at, earlier).keys() <= left(entries, at, later).keys()
    between = [each for each in entries if earlier < each.recorded_at <= later]
    grown = left(between, at, None)
    for grant, minor in left(entries, at, later).items():
        assert minor == left(entries, at, earlier).get(grant, 0) + grown.get(grant, 0)
