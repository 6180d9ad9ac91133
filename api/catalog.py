"""/v1/meters, /v1/features, /v1/coupons, /v1/tax-rates, /v1/units: documents under keys, read by the domain's own readers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas import catalog as schemas
from api.schemas.documents import (
    Raw,
    Schema,
    kept,
    page_of,
    responses,
    shown_as,
    with_text_decimals,
)
from api.schemas.features import FEATURE, FEATURE_EXAMPLE
from api.schemas.fields import Body, Name, Rate
from db import catalog
from db.catalog import NAMES, Entry, Table, add, archive, find, find_all, find_keys
from domain.catalog import read_coupon, read_tax_rate
from domain.errors import Invalid
from domain.features import read_feature
from domain.metering.meter import read_meter
from domain.reading import written
from domain.units import read_unit


class Renamed(Body):
    """What may change of a document that others rely on: its name. For the rest, make a new one."""

    name: Name | None = Field(default=None, examples=["A better name"])


class UnitChanges(Renamed):
    """What may change of a unit: its name, and its rate for grants to come."""

    rate: Rate = Field(default_factory=str, description="What one of it is worth from now on.")


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of document. `read` raises `Invalid` with every fault in one, `require` where it names what is not there;
    `changes` is what may change of one.
    """

    table: Table
    prefix: str
    id_prefix: str
    schema: Schema
    example: Mapping[str, object]
    read: Callable[[object], object]
    require: Callable[[AsyncConnection, Mapping[str, Any]], Awaitable[None]] | None = None
    changes: type[Renamed] = Renamed


METERS = Noun("meters", "/meters", "mtr", schemas.METER, schemas.METER_EXAMPLE, read_meter)


async def _require_meter(connection: AsyncConnection, feature: Mapping[str, Any]) -> None:
    meter = feature.get("meter")
    if meter is not None and not await find_keys(connection, "meters", [meter]):
        raise Invalid.at("meter", f"there is no meter {meter}")


FEATURES = Noun("features", "/features", "fea", FEATURE, FEATURE_EXAMPLE, read_feature, _require_meter)  # fmt: skip
COUPONS = Noun("coupons", "/coupons", "cou", schemas.COUPON, schemas.COUPON_EXAMPLE, read_coupon)
TAX_RATES = Noun("tax_rates", "/tax-rates", "txr", schemas.TAX_RATE, schemas.TAX_RATE_EXAMPLE, read_tax_rate)  # fmt: skip
UNITS = Noun("units", "/units", "unt", schemas.UNIT, schemas.UNIT_EXAMPLE, read_unit, changes=UnitChanges)  # fmt: skip


def routes(noun: Noun) -> APIRouter:
    """The five calls of one kind of document."""
    named = NAMES[noun.table]
    router = APIRouter(prefix=noun.prefix, tags=[noun.prefix[1:]], route_class=ExactRoute)
    title = named.capitalize()
    shown = kept(noun.schema, title, _example(noun))
    look = shown_as(noun.schema, f"New {named}", noun.example)

    @router.post("", status_code=201, summary=f"Make a {named}", responses=responses(shown, 201))
    async def create(body: Annotated[Raw, look], caller: Writes, opened: Opened) -> Response:
        whole = with_text_decimals(noun.schema, body)
        noun.read(whole)
        async with opened.database.transaction(caller.environment) as connection:
            if noun.require is not None:
                await noun.require(connection, whole)
            own_id = caller.id_for(noun.id_prefix)
            made = await add(connection, caller.environment, noun.table, own_id, whole)
        return answer(document(made), 201)

    @router.get("", summary=f"List {named}s", responses=responses(page_of(shown), 200))
    async def read_all(page: Page, caller: Reads, opened: Opened) -> Response:
        async with opened.database.transaction(caller.environment) as connection:
            found = await find_all(connection, noun.table, page.fetch, page.after)
        return answer(page.page(found, document, lambda entry: entry.id))

    @router.post("/{name:path}/archive", summary=f"Archive a {named}", responses=responses(shown, 200))  # fmt: skip
    async def put_away(name: Named, caller: Writes, opened: Opened) -> Response:
        """Who has it keeps it; nobody new gets it. Again does nothing."""
        async with opened.database.transaction(caller.environment) as connection:
            return answer(document(await archive(connection, noun.table, name)))

    @router.get("/{name:path}", summary=f"Read a {named}", responses=responses(shown, 200))
    async def read(name: Named, caller: Reads, opened: Opened) -> Response:
        async with opened.database.transaction(caller.environment) as connection:
            return answer(document(await find(connection, noun.table, name)))

    async def change(name: Named, body: Renamed, caller: Writes, opened: Opened) -> Response:
        """What is in use stays as it was made: only what decides nothing of it may change."""
        changes = body.model_dump(exclude_unset=True)
        async with opened.database.transaction(caller.environment) as connection:
            changed = await catalog.change(connection, noun.table, name, changes)
        return answer(document(changed))

    change.__annotations__["body"] = noun.changes
    router.patch("/{name:path}", summary=f"Change a {named}", responses=responses(shown, 200))(
        change
    )
    return router


def document(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        **entry.document,
        "created_at": written(entry.created_at),
        "archived_at": written(entry.archived_at) if entry.archived_at else None,
    }


def _example(noun: Noun) -> Mapping[str, object]:
    times = {"created_at": "2026-01-01T00:00:00Z", "archived_at": None}
    return {"id": f"{noun.id_prefix}_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b", **noun.example, **times}


routers = tuple(routes(noun) for noun in (METERS, FEATURES, COUPONS, TAX_RATES, UNITS))
