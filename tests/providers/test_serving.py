"""An application in a thread of its own has started when its address is given, however long that takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from domain.errors import Unavailable
from providers.payments.sandbox import serve


@asynccontextmanager
async def slow(app: FastAPI) -> AsyncIterator[None]:
    await asyncio.sleep(0.1)
    app.state.has_started = True
    yield


@asynccontextmanager
async def broken(app: FastAPI) -> AsyncIterator[None]:
    raise RuntimeError("no server")
    yield


def test_who_calls_need_not_wait_for_its_start() -> None:
    app = FastAPI(lifespan=slow)
    with serve.serving_in_thread(app):
        assert app.state.has_started


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_does_not_start_is_told() -> None:
    with (
        pytest.raises(Unavailable, match=r"did not start$"),
        serve.serving_in_thread(FastAPI(lifespan=broken)),
    ):
        pass


def test_what_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "START_SECONDS", 0)
    with (
        pytest.raises(Unavailable, match="did not start in 0 s"),
        serve.serving_in_thread(FastAPI(lifespan=slow)),
    ):
        pass
