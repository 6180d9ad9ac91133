"""A hundred years of renewals: nothing drifts, nothing is lost."""

from datetime import datetime
from fractions import Fraction as F
from zoneinfo import ZoneInfo

from domain import lifecycle
from domain.account import Facts
from domain.codec import from_plain, to_plain
from domain.customers import Customer
from domain.money import Money, total
from domain.pricing.usage import Quantity
from domain.subscription import Subscription
from tests.makings import BASE, CALLS, CALLS_METER, plan

NEW_YORK = ZoneInfo("America/New_York")
MONTHS = 1_200


def test_a_hundred_years_of_months() -> None:
    """From 31 January at midnight in New York: 1200 periods, each from where the last one ended, each at midnight,
    the 31st wherever there is one; and every month's 20.00 and 30 calls at a third of a cent.
    """
    third = {**CALLS, "price": {"model": "package", "package_size": "3", "package_amount": "0.01"}}
    pro = plan(BASE, third)
    customer = Customer("acme", "acme", "America/New_York")
    start = datetime(2026, 1, 31, tzinfo=NEW_YORK)
    facts = Facts(customer, {pro.ref: pro}, {"calls": CALLS_METER})
    living = lifecycle.new_subscription(
        id="s1", key="s1", customer=customer, plan=pro, at=start, quantities={}
    )
    outcome = lifecycle.begin(facts, living, start)
    totals, ends = [outcome.invoices[0].total], []
    for _ in range(MONTHS):
        living = from_plain(Subscription, to_plain(outcome.subscription))  # as the rows keep it
        due = living.next_due()
        assert due is not None
        assert living.period is not None
        ends.append(living.period.end.astimezone(NEW_YORK))
        (need,) = lifecycle.needs(living, "period_end", facts, due.at)
        known = Facts(customer, facts.plans, facts.meters, {need: Quantity(F(30))})
        outcome = lifecycle.end_period(known, living, due.at)
        assert outcome.subscription.period is not None
        assert outcome.subscription.period.start == living.period.end
        totals.append(outcome.invoices[0].total)

    assert ends[-1] == datetime(2126, 1, 31, tzinfo=NEW_YORK)
    assert {(end.hour, end.minute) for end in ends} == {(0, 0)}
    assert {end.day for end in ends if end.month in (1, 3, 5, 7, 8, 10, 12)} == {31}
    assert total(totals, "USD") == Money(2_000 + MONTHS * (2_000 + 10), "USD")
