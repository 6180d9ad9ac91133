"""A top-up's bonus on real rows: promised when it is asked for, granted once, whatever is lost on the way."""

from datetime import timedelta

import pytest

from activities.credits import CreditSteps
from activities.steps import LookUpPayment
from db.session import Database
from db.tenants import Environment
from domain.commands import Cancel
from domain.errors import Unavailable
from tests.billing_world import JANUARY, PRO
from tests.db.test_collecting import attempt, in_debt, top_up


async def test_a_bonus_is_granted_once_whatever_is_lost(
    database: Database, environment: Environment
) -> None:
    bonus = {"from": "50", "percent": "10", "expires_after": {"unit": "week"}}
    debt = await in_debt(database, environment, {**PRO, "top_up_bonuses": [bonus]})
    bought, collection = await top_up(debt, "50.00")
    await debt.world.ask(Cancel("immediately"), JANUARY)  # it was promised before
    again = await CreditSteps(debt.world.database).top_up(bought)
    assert again.bonus is not None
    assert again.bonus.expires_at == JANUARY + timedelta(days=7)

    def lost() -> None:
        debt.provider.after_charge = lambda: None
        raise Unavailable("the response was lost")

    debt.provider.after_charge = lost
    with pytest.raises(Unavailable):
        await attempt(debt, collection)
    for _ in range(2):
        await debt.steps.look_up_payment(LookUpPayment(collection, JANUARY))
        await attempt(debt, collection)
    assert await debt.world.rows("SELECT key, kind, amount_minor FROM credit_grants ORDER BY seq") == [
        ("more", "prepaid", 5000),
        ("more:bonus", "promotional", 500),
    ]  # fmt: skip
    assert await debt.world.rows("SELECT count(*) FROM ledger_transactions WHERE movement = 'grant'") == [(2,)]  # fmt: skip
