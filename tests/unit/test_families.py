"""Who may belong to whom, and who pays for what."""

from dataclasses import replace

import pytest

from domain import lifecycle
from domain.commands import Request, Transfer
from domain.customers import Billing, Customer
from domain.errors import Conflict, Invalid
from domain.families import Relative, check_billing, check_parent, check_payers
from tests.makings import BASE, JAN, day, facts, plan, subscription

CHILD, PARENT = Relative("1", "child"), Relative("2", "parent")
PRO = plan(BASE, name="Pro", credits=[{"key": "monthly", "amount": "2.00"}])
GROUP = Customer("group", "group")
NORTH = Customer("north-id", "north", parent="group", billing="parent")


def test_a_customer_may_belong_to_another() -> None:
    check_parent(CHILD, PARENT)
    check_parent(replace(CHILD, parent="3"), PARENT)
    check_parent(replace(CHILD, test_clock="c"), replace(PARENT, test_clock="c"))


@pytest.mark.parametrize(("child", "parent", "reason"), [
    (CHILD, CHILD, "child cannot be its own parent"),
    (CHILD, replace(PARENT, parent="3"), "parent has a parent itself"),
    (replace(CHILD, has_children=True), PARENT, "child has children itself"),
    (CHILD, replace(PARENT, test_clock="c"), "child and parent do not live on the same test clock"),
])  # fmt: skip
def test_not_to_one_that(child: Relative, parent: Relative, reason: str) -> None:
    with pytest.raises(Conflict, match=reason):
        check_parent(child, parent)


@pytest.mark.parametrize(("parent", "billing"), [(None, "self"), ("2", "self"), ("2", "parent")])
def test_a_parent_pays_where_there_is_one(parent: str | None, billing: Billing) -> None:
    check_billing(parent, billing)


def test_nobody_is_billed_who_is_not_there() -> None:
    with pytest.raises(Invalid, match="billing: there is no parent to pay"):
        check_billing(None, "parent")


@pytest.mark.parametrize(("billing", "payer"), [("self", None), ("parent", "group")])
def test_who_pays_is_fixed_when_a_subscription_is_made(billing: Billing, payer: str | None) -> None:
    north = replace(NORTH, billing=billing)
    made = lifecycle.new_subscription(
        id="s1", key="s1", customer=north, plan=PRO, at=JAN, quantities={}
    )
    assert (made.customer, made.payer, made.billed_to) == ("north-id", payer, payer or "north-id")


def test_who_pays_for_a_living_subscription_does_not_change() -> None:
    check_payers("north", "group", [("s1", "group")])
    check_payers("north", None, [])
    with pytest.raises(Conflict, match="would change who pays for s2, a subscription of north"):
        check_payers("north", "group", [("s1", "group"), ("s2", None)])


def test_the_parent_is_billed_granted_and_told_for_whom() -> None:
    made = replace(subscription(PRO), customer="north-id", payer="group", customer_key="north")
    outcome = lifecycle.begin(facts(PRO, customer=GROUP), made, JAN)
    (invoice,), (grant,) = outcome.invoices, outcome.grants
    assert (invoice.customer, invoice.subscription, grant.customer) == ("group", "s1", "group")
    assert [line.description for line in invoice.lines] == ["Pro: base (north)"]


def test_a_transfer_goes_to_who_pays_for_the_new_customer() -> None:
    living = lifecycle.begin(facts(PRO), subscription(PRO), JAN).subscription
    command = Transfer("s2", "north-id", "theirs", payer="group", customer_key="north")
    outcome = lifecycle.carry_out(facts(PRO), living, Request("r1", command), day(10))
    (going,) = outcome.begins
    assert (going.customer, going.billed_to, going.customer_key) == ("north-id", "group", "north")
