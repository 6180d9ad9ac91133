"""A payment that waits for its customer to confirm it, and another attempt beside it: one of the two is paid, never both."""

import pytest

from activities.steps import AttemptPayment
from db.session import Database
from db.tenants import Environment
from domain.dunning import customer_acted
from domain.errors import Unavailable
from tests.billing_world import JANUARY, PRO
from tests.db.test_collecting import Debt, in_debt


@pytest.fixture
async def debt(database: Database, environment: Environment) -> Debt:
    """Its first attempt waits to be confirmed, and the customer has another card."""
    debt = await in_debt(database, environment, PRO)
    debt.provider.answers = ["requires_action", "succeeded"]
    waiting = await debt.attempt()
    debt.collection = customer_acted(waiting, JANUARY, new_method=True)
    return debt


@pytest.mark.parametrize(("let_go", "charged", "payments"), [
    pytest.param("declined:canceled", 2, [(1, "requires_action", None), (2, "succeeded", None)], id="given up"),
    pytest.param("succeeded", 1, [(1, "succeeded", None)],                                    id="confirmed in that instant"),
    pytest.param("processing", 1, [(1, "processing", None)],                                  id="on its way in that instant"),
])  # fmt: skip
async def test_an_attempt_beside_one_that_waits_to_be_confirmed_is_never_paid_as_well(
    debt: Debt, let_go: str, charged: int, payments: list[tuple[object, ...]]
) -> None:
    debt.provider.let_go = let_go
    await debt.attempt()
    assert debt.collection.awaiting == ("provider" if let_go == "processing" else "nothing")
    assert len(debt.provider.asked) == charged
    assert await debt.payments() == payments
    assert await debt.invoice() == (("open", 0) if let_go == "processing" else ("paid", 2000))


async def test_a_step_that_comes_late_gives_up_no_later_attempt(debt: Debt) -> None:
    """A worker that was taken for dead has gone on."""
    debt.provider.answers, debt.provider.let_go = ["requires_action"], "declined:canceled"
    waiting = await debt.attempt()
    assert await debt.steps.attempt_payment(AttemptPayment(waiting, 1, JANUARY)) == waiting
    assert [each.status for each in debt.provider.known.values()] == ["failed", "requires_action"]


@pytest.mark.parametrize(
    ("let_go", "payments"),
    [
        (None, [(1, "failed", "card_declined")]),
        ("succeeded", [(1, "succeeded", None)]),  # with another card, in that instant
    ],
)
async def test_what_was_not_confirmed_can_be_confirmed_no_more(
    debt: Debt, let_go: str | None, payments: list[tuple[object, ...]]
) -> None:
    """Its page may still be open when the next attempt is made."""
    debt.provider.says(debt.name, "declined:card_declined")
    debt.provider.let_go = let_go
    await debt.look_up()
    assert debt.provider.canceled == [f"pi-{debt.name}"]
    assert await debt.payments() == payments


async def test_while_the_provider_does_not_give_an_attempt_up_there_is_no_other(debt: Debt) -> None:
    with pytest.raises(Unavailable):
        await debt.attempt()
    assert await debt.payments() == [(1, "requires_action", None)]
