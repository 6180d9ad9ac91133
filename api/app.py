"""The application: the doorway, the routes of every resource, and how errors are answered."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from fastapi import APIRouter, FastAPI
from fastapi_swagger import patch_fastapi
from starlette.middleware import Middleware

from api import (
    alerts,
    automatic_top_ups,
    calculators,
    catalog,
    changing,
    clocks,
    credits,
    customers,
    entitlements,
    events,
    explaining,
    health,
    holds,
    invoices,
    keys,
    plan_migrations,
    plans,
    problems,
    settling,
    simulations,
    subscriptions,
    tenants,
    tracing,
    usage,
    wallet,
    webhook_deliveries,
    webhook_endpoints,
    webhooks,
)
from api.connections import Connections, Settings, open_connections
from api.doorway import Doorway
from api.schemas.problem import PROBLEMS
from api.version import VERSION

TITLE = "Weir"
DESCRIPTION = """Usage-based billing where every subscription is one durable workflow.

Money and quantities are decimal strings. Times are RFC 3339 with an offset. Wherever a path or a body takes an id, it also
takes the key. Every `POST` takes an `Idempotency-Key`: the same key and body return the first response again. Errors are
`application/problem+json` (RFC 9457)."""

# Each resource is a module with a `router`; a longer path goes before the shorter one that would take it, and what is
# asked most often first of all.
ROUTERS: tuple[APIRouter, ...] = (
    events.router,
    entitlements.router,
    usage.router,
    *catalog.routers,
    plan_migrations.router,
    plans.router,
    alerts.router,
    automatic_top_ups.router,
    wallet.router,
    holds.router,
    customers.router,
    changing.router,
    subscriptions.router,
    tracing.router,
    credits.router,
    settling.router,
    explaining.router,
    invoices.router,
    clocks.router,
    simulations.router,
    calculators.router,
    webhooks.router,
    webhook_deliveries.router,
    webhook_endpoints.router,
    keys.router,
    tenants.router,
)


def create_app(settings: Settings) -> FastAPI:
    """The API that opens its connections when it starts and closes them when it ends."""
    return app_with(lambda: open_connections(settings))


def app_over(connections: Connections) -> FastAPI:
    """The API on connections that its caller opened, and closes."""
    return app_with(lambda: nullcontext(connections))


def app_with(connect: Callable[[], AbstractAsyncContextManager[Connections]]) -> FastAPI:
    """The API on what `connect` opens when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connect() as connections:
            app.state.connections = connections
            yield

    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=VERSION,
        lifespan=lifespan,
        middleware=[Middleware(Doorway)],
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    # The reference at /docs, from files of our own machine instead of a content network's.
    patch_fastapi(app, redirect_from_root_to_docs=False)
    problems.install(app)
    app.include_router(health.router)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1", responses=PROBLEMS)
    return app
