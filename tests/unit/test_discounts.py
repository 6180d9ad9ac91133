"""Which coupons reduce an invoice, in which order, by how much, and when they are used up."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction as F

import pytest

from domain.customers import Redemption
from domain.discounts import Discounted, discount
from domain.invoices import Line
from tests.makings import FEB, JAN, MAR, line, redeemed, usd


def discounted(
    *coupons: Redemption, lines: tuple[Line, ...] = (), period: datetime = JAN, at: datetime = JAN
) -> Discounted:
    return discount(lines or (line("100"), line("50", "seats")), coupons, "USD", period, at)


def taken(result: Discounted) -> list[tuple[str, str]]:
    return [(each.coupon, str(each.amount)) for each in result.applied]


def test_items_first_then_plans_then_general_ones_oldest_first() -> None:
    result = discounted(
        redeemed("young", FEB, percent_off=F(10)),
        redeemed("old", JAN, percent_off=F(10)),
        redeemed("plan", MAR, percent_off=F(10), plans=("pro",)),
        redeemed("item", MAR, percent_off=F(10), items=("seats",)),
    )
    # 50 -> 45; 145 -> 130.50; -> 117.45; -> 105.70 or 11.745 -> 11.75
    assert taken(result) == [
        ("item", "5.00"),
        ("plan", "14.50"),
        ("old", "13.05"),
        ("young", "11.75"),
    ]


@pytest.mark.parametrize(("coupon", "lines", "expected"), [
    pytest.param(redeemed("c", percent_off=F(50)), ("3.33",), "1.67", id="half of an odd cent rounds up"),
    pytest.param(redeemed("c", amount_off=F(30), currency="USD"), ("20",), "20.00", id="capped, the rest lapses"),
    pytest.param(redeemed("c", amount_off=F(30), currency="USD"), ("20", "20"), "30.00", id="an amount over all lines"),
    pytest.param(redeemed("c", amount_off=F(30), currency="EUR"), ("20",), None, id="another currency"),
    pytest.param(redeemed("c", percent_off=F(50), plans=("other",)), ("20",), None, id="another plan"),
    pytest.param(redeemed("c", percent_off=F(50), items=("seats",)), ("20",), None, id="another item"),
    pytest.param(redeemed("c", percent_off=F(50)), ("0",), None, id="nothing to take off"),
    pytest.param(redeemed("c", percent_off=F(50)), ("-20", "10"), "-5.00", id="a share of what is given back is kept"),
    pytest.param(redeemed("c", amount_off=F(5), currency="USD"), ("-20", "10"), None, id="no amount off what is given back"),
    pytest.param(redeemed("c", percent_off=F(100)), ("20",), "20.00", id="everything"),
    pytest.param(redeemed("c", percent_off=F(0)), ("20",), None, id="nothing"),
])  # fmt: skip
def test_what_a_coupon_takes_off(
    coupon: Redemption, lines: tuple[str, ...], expected: str | None
) -> None:
    result = discounted(coupon, lines=tuple(line(amount) for amount in lines))
    assert taken(result) == ([] if expected is None else [("c", expected)])


def test_a_scope_of_items_and_plans_needs_both() -> None:
    lines = (line("10", "a", of="p"), line("10", "b", of="p"), line("10", "a", of="q"))
    result = discounted(redeemed("c", percent_off=F(50), items=("a",), plans=("p",)), lines=lines)
    assert [str(each.discount) for each in result.lines] == ["5.00", "0.00", "0.00"]


def test_lines_share_a_discount_to_the_cent() -> None:
    lines = (line("1"), line("1"), line("1"))
    result = discounted(redeemed("c", amount_off=F(1), currency="USD"), lines=lines)
    assert [each.discount for each in result.lines] == [usd("0.34"), usd("0.33"), usd("0.33")]


def test_once_is_the_first_invoice_it_can_reduce() -> None:
    once = redeemed("c", percent_off=F(50), duration="once", items=("seats",))
    (waiting,) = discounted(once, lines=(line("20"),)).coupons
    (used,) = discounted(waiting).coupons
    assert (waiting.uses, used.uses) == (0, 1)
    assert taken(discounted(used)) == []


def test_once_is_not_used_on_what_is_given_back() -> None:
    once = redeemed("c", percent_off=F(50), duration="once")
    result = discounted(once, lines=(line("-20"),))
    assert (taken(result), result.coupons) == ([], (once,))


def test_what_is_on_account_takes_percentages_off_and_no_fixed_amount() -> None:
    """The period's invoice has 50 in all, of which 20 were invoiced on account: 10 off the 50, then half of what is left."""
    lines = (line("50"), replace(line("-20"), charged="on_account"))
    fixed, half = (
        redeemed("f", JAN, amount_off=F(10), currency="USD"),
        redeemed("h", FEB, percent_off=F(50)),
    )
    assert taken(discounted(fixed, half, lines=lines)) == [("f", "10.00"), ("h", "10.00")]
    assert taken(discounted(fixed, half, lines=(replace(line("20"), charged="on_account"),))) == [("h", "10.00")]  # fmt: skip


def test_once_is_not_used_up_by_what_is_on_account() -> None:
    once = redeemed("c", percent_off=F(50), duration="once")
    result = discounted(once, lines=(replace(line("20"), charged="on_account"),))
    assert (taken(result), result.coupons) == ([("c", "10.00")], (once,))


def test_periods_are_counted_by_those_that_issue_invoices() -> None:
    coupon = redeemed("c", percent_off=F(10), duration="periods", periods=2)
    seen = []
    for period in (JAN, JAN, FEB, FEB, MAR):
        result = discounted(coupon, period=period)
        seen.append(len(result.applied))
        (coupon,) = result.coupons
    assert seen == [1, 1, 1, 1, 0]


def test_forever_is_never_used_up() -> None:
    forever = redeemed("c", percent_off=F(10))
    assert discounted(forever).coupons == (forever,)


def test_it_reduces_nothing_from_its_expiry_on() -> None:
    coupon = redeemed("c", percent_off=F(50), expires_at=FEB)
    assert taken(discounted(coupon, at=JAN)) == [("c", "75.00")]
    assert taken(discounted(coupon, at=FEB)) == []
