"""The sandbox as an application: `/v1` as Stripe speaks, `/sandbox` to pull the strings."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from domain.errors import Invalid
from providers.payments.sandbox.account import Account
from providers.payments.sandbox.api_errors import ApiError
from providers.payments.sandbox.calls import Calls
from providers.payments.sandbox.control import Backstage, router
from providers.payments.sandbox.faults import Faults
from providers.payments.sandbox.hooks import Hooks, HookSettings
from providers.payments.sandbox.idempotency import Keys
from providers.payments.sandbox.store import Store


def _seconds() -> int:
    return int(time.time())


def create_sandbox(
    *,
    journal: Path | None = None,
    hooks: HookSettings | None = None,
    clock: Callable[[], int] = _seconds,
) -> FastAPI:
    """A sandbox that remembers in memory, and in `journal` across restarts if one is given."""
    store = Store(clock, journal)
    posts = Hooks(hooks or HookSettings(), clock)
    account = Account(store, posts.deliver)
    keys, faults = Keys(store), Faults()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        delivering = asyncio.create_task(posts.run())
        yield
        faults.clear()
        delivering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await delivering
        store.close()

    app = FastAPI(title="Payment sandbox", lifespan=lifespan)
    calls = Calls(account, keys, faults)
    app.add_api_route("/v1/{path:path}", calls.answer, methods=["GET", "POST"])
    app.state.backstage = Backstage(account, keys, faults, posts)
    app.include_router(router)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(Invalid, _invalid)
    return app


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Invalid)
    faults = [{"path": fault.path, "message": fault.message} for fault in error.faults]
    return JSONResponse({"errors": faults}, 422)
