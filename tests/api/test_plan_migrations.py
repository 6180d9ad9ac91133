"""Subscriptions stay on their version of a plan until they are moved: asked at once, done one by one."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from activities.relaying import RelaySteps
from api import migrating
from db.session import Database
from db.tenants import Environment
from providers.payments.sandbox.remote import SandboxRemote
from tests.api.test_lives import FEBRUARY, Shop, plan
from workflows.handles import RunningLives

MARCH = "2026-03-01T00:00:00Z"
NEWER: Mapping[str, Any] = {"items": plan("pro", "30.00")["items"]}
OWN = {"items": {"base": {"price": {"discount_percent": "10"}}}}


class Mall(Shop):
    """A shop with the relay's strings."""

    relay: RelaySteps
    environment: str

    async def patch(self, **changes: object) -> Any:
        response = await self.client.patch("/v1/plans/pro", json=changes)
        assert response.status_code == 201, response.text
        return response.json()

    async def migrate(self, **asked: object) -> Any:
        return await self.post("plans/pro/migrate", {"effective": "immediately", **asked}, 202)

    async def done(self, migration: Mapping[str, Any]) -> Any:
        """A migration when the relay has sent what it asks."""
        await self.relay.relay_environment(self.environment, grace_seconds=60)
        return await self.get(f"plans/pro/migrations/{migration['id']}")

    async def versions(self) -> dict[str, int]:
        return {each["key"]: each["plan_version"] for each in await self.listed("subscriptions")}

    async def amounts(self, subscription: str) -> list[str]:
        found = await self.listed(f"invoices?subscription={subscription}")
        return [invoice["total"] for invoice in found]


@pytest.fixture
async def mall(
    client: httpx.AsyncClient,
    sandbox: SandboxRemote,
    worker: None,
    database: Database,
    temporal: Client,
    task_queue: str,
    environment: Environment,
) -> Mall:
    mall = Mall(client)
    mall.relay = RelaySteps(database, RunningLives(temporal, task_queue))
    mall.environment = environment.id
    await mall.open()
    return mall


async def test_a_new_version_changes_nothing_for_who_is_on_an_old_one(mall: Mall) -> None:
    await mall.subscribe()
    await mall.patch(**NEWER)
    await mall.advance(MARCH)
    assert await mall.amounts("s1") == ["20.00", "20.00", "20.00"]
    assert (await mall.get("subscriptions/s1"))["plan_version"] == 1


async def test_subscriptions_are_moved_and_it_is_told_who_asked_and_why(mall: Mall) -> None:
    for key in ("s1", "s2"):
        await mall.subscribe(key=key)
    await mall.patch(**NEWER)
    await mall.subscribe(key="s3")
    asked = await mall.migrate(reason="prices of 2026")
    assert (asked["from"], asked["to"], asked["more"]) == (None, 2, False)
    assert asked["counts"] == {"asked": 2, "done": 0, "refused": 0}
    assert [(m["subscription"], m["status"]) for m in asked["data"]] == [("s1", "asked"), ("s2", "asked")]  # fmt: skip
    assert await mall.versions() == {"s1": 1, "s2": 1, "s3": 2}
    done = await mall.done(asked)
    assert done["counts"] == {"asked": 0, "done": 2, "refused": 0}
    assert sorted(m["invoices"] for m in done["data"]) == [["INV-000004"], ["INV-000005"]]
    assert await mall.versions() == {"s1": 2, "s2": 2, "s3": 2}
    assert await mall.amounts("s1") == ["20.00", "10.00"]
    entry = (await mall.listed("subscriptions/s1/timeline"))[-1]
    assert (entry["what"], entry["actor"], entry["reason"]) == ("change_plan", "key:a test", "prices of 2026")  # fmt: skip
    assert entry["request"]["version"] == 2
    assert (await mall.listed("plans/pro/migrations"))[0]["counts"] == done["counts"]


async def test_at_the_period_end_the_next_period_has_the_new_prices(mall: Mall) -> None:
    await mall.subscribe()
    await mall.patch(**NEWER)
    asked = await mall.post("plans/pro/migrate", {}, 202)
    assert asked["effective"] == "period_end"
    await mall.done(asked)
    assert (await mall.get("subscriptions/s1"))["next_plan_version"] == 2
    again = await mall.post("plans/pro/migrate", {}, 202)
    assert again["data"] == []
    await mall.advance(FEBRUARY)
    assert await mall.amounts("s1") == ["20.00", "30.00"]


async def test_to_do_it_twice_is_to_do_it_once(mall: Mall) -> None:
    await mall.subscribe()
    await mall.patch(**NEWER)
    path, named = "/v1/plans/pro/migrate", {"Idempotency-Key": "once"}
    first = await mall.client.post(path, json={"effective": "immediately"}, headers=named)
    again = await mall.client.post(path, json={"effective": "immediately"}, headers=named)
    assert first.json() == again.json()
    meanwhile = await mall.migrate()
    assert meanwhile["data"] == []
    await mall.done(first.json())
    after = await mall.migrate()
    assert after["data"] == []
    assert await mall.amounts("s1") == ["20.00", "10.00"]


async def test_who_has_moved_meanwhile_is_refused_and_holds_up_no_other(mall: Mall) -> None:
    for key in ("s1", "s2", "s3", "s4", "s5"):
        await mall.subscribe(key=key)
    await mall.post("subscriptions/s4/change-plan", {"plan": "scale", "effective": "period_end"})
    await mall.post("subscriptions/s5/overrides", {"overrides": OWN, "effective": "period_end"})
    newest = (await mall.patch(**NEWER))["version"]
    asked = await mall.migrate()
    assert asked["counts"] == {"asked": 3, "done": 0, "refused": 2}
    await mall.post("subscriptions/s1/cancel", {"effective": "immediately"})
    await mall.post("subscriptions/s2/change-plan", {"plan": "scale"})
    done = await mall.done(asked)
    assert done["counts"] == {"asked": 0, "done": 1, "refused": 4}
    refused = await mall.get(f"plans/pro/migrations/{asked['id']}?status=refused")
    why = {each["subscription"]: each["error"]["message"] for each in refused["data"]}
    assert why == {
        "s1": why["s1"],  # by the rules, or because its life is over already
        "s2": "s2 is on version 1 of scale by now",
        "s4": "s4 changes to scale at the period's end",
        "s5": "s5 has other overrides from the period's end on",
    }
    assert (await mall.get("subscriptions/s2"))["plan"] == "scale"
    assert (await mall.get("subscriptions/s3"))["plan_version"] == newest


async def test_overrides_are_put_into_the_new_version(mall: Mall) -> None:
    await mall.subscribe(overrides=OWN)
    await mall.subscribe(key="s2", overrides={"items": {"seats": {"price": {"unit_amount": "9"}}}})
    await mall.patch(items=NEWER["items"][:1])
    asked = await mall.migrate()
    assert asked["counts"] == {"asked": 1, "done": 0, "refused": 1}
    error = asked["data"][1]["error"]
    assert error == {"code": "invalid", "message": "overrides.items.seats: pro has no such item"}
    await mall.done(asked)
    moved = await mall.get("subscriptions/s1")
    assert (moved["based_on_version"], moved["overrides"]) == (4, OWN)
    # 20.00 less 10 % taken back, 30.00 less 10 % charged.
    assert await mall.amounts("s1") == ["18.00", "9.00"]
    assert (await mall.get("subscriptions/s2"))["based_on_version"] == 1
    assert (await mall.migrate())["data"][0]["subscription"] == "s2"


async def test_a_preview_tells_of_each_and_does_nothing(mall: Mall) -> None:
    for key in ("s1", "s2", "s3"):
        await mall.subscribe(key=key)
    await mall.subscribe(key="s4", overrides=OWN)
    await mall.post("subscriptions/s2/change-plan", {"plan": "scale", "effective": "period_end"})
    await mall.patch(**NEWER)
    wanted = {"preview": True, "effective": "immediately", "limit": 3}
    page = await mall.post("plans/pro/migrate", wanted, 200)
    rest = await mall.post("plans/pro/migrate", {**wanted, "after": page["next"]}, 200)
    told = [*page["data"], *rest["data"]]
    assert [(m["subscription"], m["status"]) for m in told] == [
        ("s1", "preview"),
        ("s2", "refused"),
        ("s3", "preview"),
        ("s4", "preview"),
    ]
    totals = [[i["total"] for i in m["issued"]["invoices"]] for m in told if m["issued"]]
    assert totals == [["10.00"], ["10.00"], ["9.00"]]
    assert told[1]["error"]["message"] == "s2 changes to scale at the period's end"
    assert (len(page["data"]), rest["next"]) == (3, None)
    assert await mall.listed("plans/pro/migrations") == []
    assert await mall.versions() == {"s1": 1, "s2": 1, "s3": 1, "s4": 2}
    await mall.done(await mall.migrate())
    assert (await mall.amounts("s4"))[1:] == ["9.00"]


async def test_only_these_and_only_from_that_version(mall: Mall) -> None:
    await mall.subscribe(key="s1")
    await mall.patch(**NEWER)
    await mall.subscribe(key="s2")
    s3 = await mall.subscribe(key="s3")
    await mall.patch(name="Pro of 2026")
    some = await mall.migrate(**{"from": 2}, subscriptions=["s1", s3["id"]])
    assert [m["subscription"] for m in some["data"]] == ["s3"]
    back = await mall.migrate(**{"from": 2}, to=1)
    assert [m["subscription"] for m in back["data"]] == ["s2"]
    await mall.done(back)
    assert await mall.versions() == {"s1": 1, "s2": 1, "s3": 3}


@pytest.mark.parametrize(
    ("asked", "status", "path"),
    [
        ({"to": 9}, 404, None),
        ({"from": 9}, 404, None),
        ({"from": 1, "to": 1}, 422, "from"),
        ({"to": 3}, 422, "to"),
        ({"subscriptions": ["s1", "nobody"]}, 422, "subscriptions.1"),
        ({"form": 1}, 422, "form"),
        ({"to": "2"}, 422, "to"),
    ],
)
async def test_what_is_not_there_is_refused(
    mall: Mall, asked: Mapping[str, Any], status: int, path: str | None
) -> None:
    await mall.subscribe()
    await mall.patch(**NEWER)
    await mall.subscribe(key="s2", overrides=OWN)
    refused = await mall.post("plans/pro/migrate", asked, status)
    assert [error["path"] for error in refused.get("errors", [])] == ([path] if path else [])
    assert await mall.listed("plans/pro/migrations") == []


async def test_a_clock_waits_for_who_is_being_moved(mall: Mall) -> None:
    await mall.subscribe()
    await mall.patch(**NEWER)
    asked = await mall.migrate()
    path = f"test-clocks/{mall.clock}/advance"
    refused = await mall.post(path, {"to": FEBRUARY}, 409)
    assert "are being moved to other versions" in refused["detail"]
    await mall.done(asked)
    await mall.advance(FEBRUARY)
    assert await mall.amounts("s1") == ["20.00", "10.00", "30.00"]


async def test_what_one_call_does_not_take_the_next_one_does(
    mall: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "MOST_AT_ONCE", 2)
    for key in ("s1", "s2", "s3"):
        await mall.subscribe(key=key)
    await mall.patch(**NEWER)
    first, second, third = [await mall.migrate() for _ in range(3)]
    assert [[m["subscription"] for m in each["data"]] for each in (first, second, third)] == [
        ["s1", "s2"],
        ["s3"],
        [],
    ]
    assert [each["more"] for each in (first, second, third)] == [True, False, False]
    page = await mall.get(f"plans/pro/migrations/{first['id']}?limit=1")
    rest = await mall.get(f"plans/pro/migrations/{first['id']}?limit=1&after={page['next']}")
    assert [m["subscription"] for m in page["data"] + rest["data"]] == ["s1", "s2"]
    assert rest["next"] is None


async def test_who_is_refused_holds_up_no_other_call(
    mall: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """s1 cannot be moved; a call that takes one at a time goes on behind it."""
    monkeypatch.setattr("api.migrating.MOST_AT_ONCE", 1)
    for key in ("s1", "s2"):
        await mall.subscribe(key=key)
    await mall.post("subscriptions/s1/change-plan", {"plan": "scale", "effective": "period_end"})
    await mall.patch(**NEWER)
    first = await mall.migrate()
    assert (first["more"], first["counts"]["refused"]) == (True, 1)
    second = await mall.migrate(after=first["next"])
    assert (second["more"], second["next"], second["counts"]["asked"]) == (False, None, 1)
    assert second["data"][0]["subscription"] == "s2"


async def test_a_real_migration_has_no_limit(mall: Mall) -> None:
    refused = await mall.post("plans/pro/migrate", {"limit": 1}, 422)
    assert refused["errors"][0]["path"] == "limit"
