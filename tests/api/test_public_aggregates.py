"""The acceptance cases of `aggregate`, each with a real meter, real events and `GET /v1/customers/{key}/usage`.

What this cannot ask for is left out: a quantity below 0 is shown as 0, since a correction takes nothing below it (the case
is asked for 0 instead), and a level that is no number (`weir-a236`) cannot be sent, as levels come from events here.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from domain.reading import instant, written
from tests.api.asking import Asking, paths_differ
from tests.public_cases import Case, faults_in, is_refused, read_cases

CARRIED_BEFORE = timedelta(days=3)  # the level was brought by an event of an earlier period


@pytest.fixture
def asking(client: httpx.AsyncClient) -> Asking:
    return Asking(client)


async def test_every_quantity_is_what_is_used(
    asking: Asking, database: Database, environment: Environment
) -> None:
    cases = [case for case in read_cases("aggregate") if not is_refused(case)]
    for case in cases:
        await asking.post("customers", {"key": case["id"], "timezone": case.get("timezone", "UTC")})
        await asking.post("meters", own(case["meter"], case))
    assert await asking.send(event for case in cases for event in events_of(case)) == []
    wanted = [at_least_nothing(case) for case in cases]
    assert faults_in(wanted, [await used(asking, case) for case in cases]) == []
    await wait_for_horizon(database)
    await pump_once(database, environment.id)
    assert faults_in(wanted, [await used(asking, case) for case in cases]) == []


async def test_what_is_wrong_is_refused_where_it_is_sent(asking: Asking) -> None:
    """A bad meter when it is made, a bad value when its event comes; the good events beside it are kept."""
    faults: list[str] = []
    for case in read_cases("aggregate"):
        if not is_refused(case) or case["carried_in"] == "NaN":
            continue
        response = await asking.client.post("/v1/meters", json=own(case["meter"], case))
        if response.status_code == 422:
            paths = [fault["path"] for fault in response.json()["errors"]]
            faults += paths_differ(case, paths, "meter.", "")
            continue
        await asking.post("customers", {"key": case["id"]})
        rejected = await asking.send(events_of(case))
        paths = [f"{each['index']}.{each['path']}" for each in rejected]
        faults += [] if paths else [f"{case['id']}: all was taken"]
        faults += paths_differ(case, paths, "events.", "")
    assert faults == []


def own(meter: Mapping[str, object], case: Case) -> Mapping[str, object]:
    """The meter of a case, alone with its events."""
    return {**meter, "key": case["id"], "event_name": case["id"]}


def events_of(case: Case) -> Iterator[Mapping[str, object]]:
    """The events of a case, after one that brings the level it starts with. What came before the period is in that
    level already.
    """
    start, carries = instant(case["period"][0]), case["meter"].get("carry_over")
    uses = list(case["events"])
    if carries:
        before = written(start - CARRIED_BEFORE)
        uses = [use for use in uses if instant(use["time"]) >= start]
        uses.insert(0, {"time": before, "properties": {"v": case["carried_in"]}})
    for number, use in enumerate(uses):
        yield {
            "id": f"{case['id']}:{number}",
            "event_name": case["id"],
            "customer": case["id"],
            "time": use["time"],
            "properties": use.get("properties") or {},
        }


def at_least_nothing(case: Case) -> Case:
    expected = case["expect"]
    below = str(expected.get("quantity", "")).startswith("-")
    return {**case, "expect": {**expected, "quantity": "0"}} if below else case


async def used(asking: Asking, case: Case) -> Mapping[str, Any]:
    """What is shown of a case's period, in the form of an answer of the command."""
    start, end = case["period"]
    asked = {"meter": case["id"], "from": start, "to": end}
    dimensions = case["meter"].get("group_by")
    if dimensions is None:
        shown = await asking.get(f"customers/{case['id']}/usage", **asked)
        return {"id": case["id"], "quantity": shown["data"][0]["quantity"]}
    shown = await asking.get(
        f"customers/{case['id']}/usage", **asked, group_by=",".join(dimensions)
    )
    groups = [{"key": each["group"], "quantity": each["quantity"]} for each in shown["data"]]
    return {"id": case["id"], "groups": groups}
