"""What is invoiced on account changes when usage is paid for, and not what it costs: all invoices together say what those
without a threshold say.
"""

from decimal import Decimal
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate

METERS: list[dict[str, Any]] = [
    {"key": "sum", "event_name": "used", "aggregation": "sum", "value": "n"},
    {"key": "peak", "event_name": "used", "aggregation": "max", "value": "n", "window": "day"},
    {"key": "last", "event_name": "used", "aggregation": "latest", "value": "n"},
    {"key": "level", "event_name": "used", "aggregation": "weighted_sum", "value": "n", "carry_over": True},
]  # fmt: skip
TIERS = [{"up_to": "10", "unit_amount": "0.3333"}, {"up_to": None, "unit_amount": "0.07"}]
PRICES: list[dict[str, Any]] = [
    {"model": "per_unit", "unit_amount": "0.005"},
    {"model": "per_unit", "unit_amount": "0.3333", "minimum": "2.00", "maximum": "9.005"},
    {"model": "graduated", "tiers": TIERS, "included": "3"},
    {"model": "volume", "tiers": TIERS},
    {"model": "package", "package_size": "7", "package_amount": "1.115"},
    {"model": "flat", "amount": "1.505"},
]
COUPONS: list[dict[str, Any]] = [
    {"key": "fixed", "amount_off": "1.50", "duration": "forever"},
    {"key": "once", "amount_off": "2.25", "duration": "once", "scope": {"items": ["sum"]}},
    {"key": "part", "percent_off": "33", "duration": "forever"},
]
VAT = [{"key": "vat", "percent": "19", "inclusive": False}]

events = st.fixed_dictionaries({"at": st.integers(0, 44 * 24), "n": st.integers(-9, 30)})
steps = st.sampled_from(["none", "change_plan", "cancel"])


def story(
    used: list[dict[str, int]],
    prices: list[dict[str, Any]],
    step: str,
    coupons: list[str],
    threshold: str | None,
) -> dict[str, Any]:
    items = [
        {"key": meter["key"], "kind": "usage", "meter": meter["key"], "price": price}
        for meter, price in zip(METERS, prices, strict=True)
    ]
    base = {"model": "flat", "amount": "3.3333"}
    items.append({"key": "base", "kind": "recurring", "charged": "in_arrears", "price": base})
    progressive = None if threshold is None else {"threshold": threshold}
    plan = {"interval": {"unit": "month"}, "items": items, "progressive_invoicing": progressive}
    committed = {"minimum_commitment": "12.345", "commitment_overage_factor": "1.1"}
    start = {"key": "s1", "customer": "acme", "plan": "pro", "coupons": coupons}
    timeline: list[dict[str, Any]] = [{"at": "2026-01-01T00:00:00Z", "subscribe": start}]
    for event in sorted(used, key=lambda event: event["at"]):
        month, hour = divmod(event["at"], 31 * 24)
        at = f"2026-{month + 1:02}-{hour // 24 + 1:02}T{hour % 24:02}:00:00Z"
        usage = {"customer": "acme", "event_name": "used", "properties": {"n": event["n"]}}
        timeline.append({"at": at, "usage": usage})
    asked: dict[str, Any] = {"subscription": "s1", "effective": "immediately"}
    if step == "change_plan":
        asked["plan"] = "other"
    if step != "none":
        timeline.append({"at": "2026-01-17T07:00:00Z", step: asked})
        timeline.sort(key=lambda entry: entry["at"])
    return {
        "currency": "USD",
        "meters": METERS,
        "plans": [{**plan, "key": "pro", **committed}, {**plan, "key": "other"}],
        "coupons": COUPONS,
        "tax_rates": VAT,
        "customers": [{"key": "acme", "tax_rates": ["vat"]}],
        "timeline": timeline,
        "until": "2026-03-02T00:00:00Z",
    }


def invoices(*asked: Any) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", simulate(read_scenario(story(*asked)))["invoices"])


def added(documents: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(each[name]) for each in documents), Decimal(0))


ASKED = (
    st.lists(events, max_size=8),
    st.lists(st.sampled_from(PRICES), min_size=4, max_size=4),
    steps,
)
THRESHOLDS = st.sampled_from(["0.01", "0.50", "3.00", "7.77", "20.00"])


@given(*ASKED, st.sampled_from([[], ["fixed"], ["once"], ["once", "fixed"]]), THRESHOLDS)
def test_all_invoices_of_a_period_come_to_the_same(
    used: list[dict[str, int]],
    prices: list[dict[str, Any]],
    step: str,
    coupons: list[str],
    threshold: str,
) -> None:
    asked = (used, prices, step, coupons)
    with_it, without = invoices(*asked, threshold), invoices(*asked, None)
    assert added(with_it, "subtotal") == added(without, "subtotal")
    assert added(with_it, "discount") == added(without, "discount")
    assert all(invoice["lines"] for invoice in with_it)
    half_a_cent_each = Decimal("0.005") * (len(with_it) + len(without))
    assert abs(added(with_it, "tax") - added(without, "tax")) <= half_a_cent_each
    on_account = [each for each in with_it if each["issued_at"] not in _times(without)]
    assert all(Decimal(each["subtotal"]) >= Decimal(threshold) for each in on_account)


@given(*ASKED, THRESHOLDS)
def test_a_percentage_comes_to_the_same_but_for_each_invoices_rounding(
    used: list[dict[str, int]], prices: list[dict[str, Any]], step: str, threshold: str
) -> None:
    asked = (used, prices, step, ["part"])
    with_it, without = invoices(*asked, threshold), invoices(*asked, None)
    half_a_cent_each = Decimal("0.005") * (len(with_it) + len(without))
    assert added(with_it, "subtotal") == added(without, "subtotal")
    assert abs(added(with_it, "discount") - added(without, "discount")) <= half_a_cent_each


def _times(documents: list[dict[str, Any]]) -> set[Any]:
    return {each["issued_at"] for each in documents}
