"""Allowances in rows that are kept just as others want them: news that is taken away meanwhile, and holds that wait."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import allowances, entitling
from db.allowances import Asked
from tests.db.test_allowances import World, add_peak, take_all_news, world

__all__ = ["world"]


async def test_what_is_kept_together_is_let_go_after_a_few(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds on the first need not wait for the last."""
    keeping = allowances.keep_allowance

    async def crash_at_tokens(connection: AsyncConnection, asked: Asked, *rest: object) -> None:
        if asked.feature == "tokens":
            raise RuntimeError("the power went")
        await keeping(connection, asked, *rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(entitling, "KEPT_AT_ONCE", 1)
    monkeypatch.setattr(entitling, "keep_allowance", crash_at_tokens)
    asked = [Asked(world.acme, feature) for feature in ("tokens", "sso")]
    with pytest.raises(RuntimeError):
        await entitling.refresh(world.database, world.environment, asked)
    assert [(await world.find(each.feature)).is_fresh for each in asked] == [False, True]


async def test_news_that_is_taken_while_it_is_half_known_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who computes has seen the first event and not the second, and keeps that just as the news of both is taken away."""
    await add_peak(world)
    await world.refresh("peak")
    computing, keeping = entitling._compute_all, allowances.keep_allowance
    taken: list[asyncio.Task[None]] = []

    async def slowly(*asked: object) -> object:
        computed = await computing(*asked)  # type: ignore[arg-type]  # passed on as they came
        await world.use("e2", "20")
        return computed

    async def beside_who_takes(*kept: object) -> None:
        await keeping(*kept)  # type: ignore[arg-type]  # the same
        taken.append(await _taking_and_waiting(world))

    await world.use("e1")
    with monkeypatch.context() as patched:
        patched.setattr(entitling, "_compute_all", slowly)
        patched.setattr(entitling, "keep_allowance", beside_who_takes)
        await world.refresh("peak")
    await asyncio.gather(*taken)
    assert not (await world.find("peak")).is_fresh
    assert (await world.refresh("peak")).allowance.used == 20


async def _taking_and_waiting(world: World) -> asyncio.Task[None]:
    """Somebody who takes all news away, and waits for a row by now."""
    pids: list[int] = []

    async def take() -> None:
        async with world.database.transaction(world.environment) as connection:
            pids.append((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())
            await take_all_news(connection, world.environment)

    async def waits() -> bool:
        blocked = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
        async with world.database.transaction(world.environment) as connection:
            return bool((await connection.execute(blocked, {"pid": pids[0]})).scalar_one())

    taking = asyncio.create_task(take())
    while not taking.done():
        if pids and await waits():
            break
        await asyncio.sleep(0.01)
    return taking
