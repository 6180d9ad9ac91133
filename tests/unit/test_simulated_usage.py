"""What usage brings in a simulation, as it does in production."""

from typing import Any

from domain.documents import Document
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate

START = "2026-01-01T00:00:00Z"
METER = {"key": "m", "event_name": "e", "aggregation": "sum", "value": "n"}
PRICE = {"model": "per_unit", "unit_amount": "1"}
ITEM = {"key": "t", "kind": "usage", "meter": "m", "charged": "in_advance", "price": PRICE}


def used(at: str, number: str, name: str = "e", **members: str) -> Document:
    properties = {"n": number}
    return {
        "at": at,
        "usage": {"customer": "c", "event_name": name, "properties": properties, **members},
    }


def lived(*entries: Document, meter: dict[str, bool] | None = None) -> Any:
    plan = {"key": "a", "interval": {"unit": "month"}, "items": [ITEM]}
    subscribed = {"at": START, "subscribe": {"key": "s", "customer": "c", "plan": "a"}}
    story = {
        "currency": "USD",
        "meters": [{**METER, **(meter or {})}],
        "plans": [plan],
        "customers": [{"key": "c"}],
        "timeline": [subscribed, *entries],
        "until": "2026-02-15T00:00:00Z",
    }
    return simulate(read_scenario(story))


def test_an_event_that_no_item_in_advance_measures_charges_nothing() -> None:
    """The level is carried into February, and only an event of its meter's name has it charged before the end."""
    kept = used("2026-01-05T00:00:00Z", "10")
    carried = {"carry_over": True}
    alone = lived(kept, meter=carried)
    with_other = lived(kept, used("2026-02-05T00:00:00Z", "1", "other"), meter=carried)
    assert with_other["invoices"] == alone["invoices"]


def test_a_void_takes_the_name_of_no_event() -> None:
    story = lived(
        used("2026-01-05T00:00:00Z", "1", id="x"),
        used("2026-01-06T00:00:00Z", "2", id="void:x"),
        {"at": "2026-01-07T00:00:00Z", "void_usage": {"id": "x", "reason": "r"}},
    )
    assert [invoice["total"] for invoice in story["invoices"]] == ["1.00", "2.00", "-1.00"]
