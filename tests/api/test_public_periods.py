"""The acceptance cases of `periods`, each a real subscription that begins at its start, on a test clock of its own, and is
led through its first periods.

Left to the calculator are the later starts of a case, which are the same rule once more, a case of one start, a count,
which a subscription has not, and more cases of the same interval, anchor and timezone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from domain.reading import instant
from tests.api.asking import Asking, paths_differ
from tests.public_cases import Case, is_refused, read_cases

PERIODS_LED = 2


@pytest.fixture
def asking(client: httpx.AsyncClient) -> Asking:
    return Asking(client)


async def test_every_subscription_has_the_periods_of_its_case(asking: Asking, worker: None) -> None:
    every = [case for case in read_cases("periods") if not is_refused(case)]
    cases = {(repr(terms_of(case)), case.get("timezone")): case for case in every}.values()
    plans = {repr(terms): terms for terms in map(terms_of, cases)}
    for number, terms in enumerate(plans.values()):
        await asking.post("plans", {"key": f"p{number}", "currency": "USD", **terms})
    keys = {name: f"p{number}" for number, name in enumerate(plans)}
    faults: list[str] = []
    for case in cases:
        faults += await led_wrongly(asking, case, keys[repr(terms_of(case))])
    assert faults == []


async def test_what_is_wrong_is_refused_where_it_is_sent(asking: Asking) -> None:
    """A bad interval with the plan, a bad timezone with the customer, a bad start with the subscription."""
    await asking.post("customers", {"key": "acme"})
    await asking.post("plans", {"key": "monthly", "currency": "USD", "interval": {"unit": "month"}})
    faults: list[str] = []
    for case in read_cases("periods"):
        if not is_refused(case):
            continue
        path = str(case["expect"]["path"])
        if path == "timezone":
            paths = await asking.refused("customers", {"key": "b", "timezone": case["timezone"]})
        elif path == "start":
            begun = {"customer": "acme", "plan": "monthly", "starts_at": case["start"]}
            paths = await asking.refused("subscriptions", begun)
        else:
            plan = {"key": "bad", "currency": "USD", **terms_of(case)}
            paths = await asking.refused("plans", plan)
        faults += paths_differ(case, paths, "start", "starts_at")
    assert faults == []


def terms_of(case: Case) -> Mapping[str, object]:
    terms = {name: case.get(name) for name in ("interval", "anchor")}
    return {name: term for name, term in terms.items() if term is not None}


async def led_wrongly(asking: Asking, case: Case, plan: str) -> Sequence[str]:
    """The periods of a subscription that differ from the case's."""
    starts = case["expect"]["starts"]
    clock = await asking.post("test-clocks", {"name": case["id"], "now": case["start"]})
    timezone = {"timezone": case.get("timezone") or "UTC"}
    await asking.post("customers", {"key": case["id"], "test_clock": clock["id"], **timezone})
    begun = {"key": case["id"], "customer": case["id"], "plan": plan}
    periods = [(await asking.post("subscriptions", begun))["current_period"]]
    for at in starts[1:PERIODS_LED]:
        await asking.post(f"test-clocks/{clock['id']}/advance", {"to": at})
        found: Mapping[str, Any] = await asking.get(f"subscriptions/{case['id']}")
        periods.append(found["current_period"])
    shown = [instant(period[0]) for period in periods] + [instant(periods[-1][1])]
    expected = [instant(start) for start in starts[: len(shown)]]
    return [] if shown[: len(expected)] == expected else [f"{case['id']}: {periods}"]
