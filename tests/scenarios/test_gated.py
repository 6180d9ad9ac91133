"""A first payment that succeeds changes nothing: every story goes on as if the plan had not asked for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.exact_yaml import read_yaml
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate


def is_paid_at_once(raw: Any) -> bool:
    """Every payment succeeds, and no plan has credits of its own: these come with the payment, not before it."""
    outcomes = [each.get("payment", {}).get("outcomes") for each in raw["customers"]]
    has_credits = any(plan.get("credits") for plan in raw.get("plans", []))
    return not has_credits and all(each in (None, ["succeeded"]) for each in outcomes)


def stories() -> Iterator[Any]:
    """Each process that runs tests has a look at them all, so it is a quick one."""
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        if is_paid_at_once(yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)):
            yield pytest.param(file, id=file.stem)


@pytest.mark.parametrize("file", list(stories()))
def test_a_first_payment_that_succeeds_changes_nothing(file: Path) -> None:
    raw: Any = read_yaml(file.read_text(encoding="utf-8"))
    plans = [{**plan, "activation": "first_payment"} for plan in raw.get("plans", [])]
    assert simulate(read_scenario({**raw, "plans": plans})) == simulate(read_scenario(raw))
