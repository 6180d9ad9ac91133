"""Telling Temporal that a step is alive, so that one whose worker has died is soon taken over by another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

# Most steps are over before their first sign: it costs, like everything that Temporal is told.
BEAT_SECONDS = 4


class GiveSignsOfLife(Interceptor):
    """For every step that is given a time within which to show that it lives."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if activity.info().heartbeat_timeout is None:
            return await super().execute_activity(input)
        async with signs_of_life():
            return await super().execute_activity(input)


@asynccontextmanager
async def signs_of_life() -> AsyncIterator[None]:
    """Give one every few seconds until the block ends."""
    beating = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beating.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        activity.heartbeat()
