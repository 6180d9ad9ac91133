"""What a customer has at an instant, as it was known at another."""

from datetime import datetime, timedelta

import pytest

from domain import ledger
from domain.balances import Look, Recorded, left_of_credit_notes, left_of_grants, look
from domain.credits import Grant
from domain.errors import Invalid
from domain.ledger import Posting, Transaction, credit_note_balance, receivable
from domain.money import Money
from tests.makings import FEB, JAN, day, usd

NOW = day(30)


def given(
    key: str,
    amount: str,
    at: datetime = JAN,
    begins: datetime = JAN,
    expires_at: datetime | None = None,
) -> Grant:
    return Grant(key, key, "acme", "prepaid", usd(amount), 50, at, begins, expires_at)


def burned(of: str, amount: str, at: datetime) -> tuple[Transaction, ...]:
    postings = (
        Posting(ledger.credits_of(of), usd(amount)),
        Posting(receivable("acme"), -usd(amount)),
    )
    return (Transaction(f"burn:{at}:{of}", "burn", at, postings),)


LASTING = given("lasting", "10.00")
ENDING = given("ending", "8.00", expires_at=day(20))
COMING = given("coming", "5.00", at=day(3), begins=day(25))
GRANTS = (LASTING, ENDING, COMING)
# Given on the 1st and 3rd; 4.00 burned for the 10th, which was known on the 12th alone; what was left of `ending` lapsed
# on the 20th, recorded on the 22nd; `lasting` voided on the 28th.
STORY = tuple(
    Recorded(transaction, recorded_at)
    for transactions, recorded_at in (
        (ledger.granted(LASTING), day(1)),
        (ledger.granted(ENDING), day(1)),
        (ledger.granted(COMING), day(3)),
        (burned("ending", "4.00", day(10)), day(12)),
        (ledger.expired(ENDING, usd("4.00"), day(20)), day(22)),
        (ledger.voided(LASTING, usd("10.00"), day(28)), day(28)),
    )
    for transaction in transactions
)


def worth(at: datetime, known_at: datetime | None) -> dict[str, str]:
    balances = left_of_grants(STORY, GRANTS, Look(at, known_at))
    return {balance.grant.id: str(balance.at(at)) for balance in balances}


@pytest.mark.parametrize(("at", "known_at", "expected"), [
    (JAN - timedelta(days=1), None, {}),
    (day(2), None, {"lasting": "10.00", "ending": "8.00"}),
    (day(11), None, {"lasting": "10.00", "ending": "4.00", "coming": "0.00"}),
    (day(11), day(11), {"lasting": "10.00", "ending": "8.00", "coming": "0.00"}),  # the burn came to be known on the 12th
    (day(11), day(12), {"lasting": "10.00", "ending": "4.00", "coming": "0.00"}),
    (day(11), day(2), {"lasting": "10.00", "ending": "8.00"}),  # `coming` was not there yet
    (day(21), day(21), {"lasting": "10.00", "ending": "0.00", "coming": "0.00"}),  # worth nothing, before it is posted
    (day(26), day(11), {"lasting": "10.00", "ending": "0.00", "coming": "5.00"}),  # as it was foreseen
    (day(29), day(27), {"lasting": "10.00", "ending": "0.00", "coming": "5.00"}),  # the void was not known
    (day(29), day(28), {"lasting": "0.00", "ending": "0.00", "coming": "5.00"}),
    (day(2), NOW, {"lasting": "10.00", "ending": "8.00"}),  # what is known now of then
    (FEB, None, {"lasting": "0.00", "ending": "0.00", "coming": "5.00"}),
])  # fmt: skip
def test_what_there_is_as_it_was_known(
    at: datetime, known_at: datetime | None, expected: dict[str, str]
) -> None:
    assert worth(at, known_at) == expected


def test_what_is_left_of_credit_notes_as_it_was_known() -> None:
    notes, owed = credit_note_balance("acme"), receivable("acme")
    euros = Money(300, "EUR")
    issued = Transaction("n1", "credit_note", day(5), (Posting(owed, usd("7")), Posting(notes, -usd("7"))))  # fmt: skip
    in_euros = Transaction("n2", "credit_note", day(6), (Posting(owed, euros), Posting(notes, -euros)))  # fmt: skip
    used = Transaction("a1", "credit_note", day(9), (Posting(notes, usd("2")), Posting(owed, -usd("2"))))  # fmt: skip
    entries = [Recorded(issued, day(5)), Recorded(in_euros, day(6)), Recorded(used, day(11))]
    assert left_of_credit_notes(entries, "acme", Look(day(10))) == [usd("5"), euros]
    assert left_of_credit_notes(entries, "acme", Look(day(10), day(10))) == [usd("7"), euros]
    assert left_of_credit_notes(entries, "acme", Look(day(10), day(5))) == [usd("7")]
    assert left_of_credit_notes(entries, "other", Look(day(10))) == []


@pytest.mark.parametrize(("at", "known_at", "expected"), [
    (None, None, Look(NOW)),
    (day(3), None, Look(day(3))),
    (None, day(3), Look(day(3), day(3))),  # what one would have been told then
    (day(1), day(3), Look(day(1), day(3))),
    (FEB, day(3), Look(FEB, day(3))),
    (None, NOW, Look(NOW, NOW)),
])  # fmt: skip
def test_what_is_looked_at(at: datetime | None, known_at: datetime | None, expected: Look) -> None:
    assert look(at, known_at, NOW) == expected


def test_what_is_not_known_yet_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        look(None, NOW + timedelta(microseconds=1), NOW)
    (fault,) = refused.value.faults
    assert (fault.path, fault.message[:26]) == ("known_at", "must not be in the future:")
