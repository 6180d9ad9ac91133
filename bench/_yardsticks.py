"""The API with two routes more: one that does one indexed SELECT, through the same stack, and nothing else; and one that does
one durable UPDATE of one row.

`python -m bench._yardsticks PORT` serves it on 127.0.0.1, with the database that `DATABASE_URL` names. Nothing that is
measured asks Temporal, so there is none.
"""

import os
import sys

import uvicorn
from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import text

from api.answers import answer
from api.app import app_over
from api.auth import Reads, SendsUsage
from api.bodies import ExactRoute
from api.connections import Connections, Opened
from api.paths import Named
from db.ids import new_id
from db.session import Database

router = APIRouter(prefix="/v1/yardsticks", route_class=ExactRoute)

IDLE_SECONDS = 600  # connections rest while others are measured

_SELECT = text("SELECT id, key, name, timezone FROM customers WHERE key = :key")
_UPDATE = text(
    "UPDATE customers SET name = :name WHERE key = :key RETURNING id, key, name, timezone"
)


@router.get("/select/{customer}")
async def select(customer: Named, caller: Reads, opened: Opened) -> Response:
    """One row, found by its key."""
    async with opened.database.transaction(caller.environment) as connection:
        row = (await connection.execute(_SELECT, {"key": customer})).one()
    return answer(dict(row._mapping))


@router.post("/update/{customer}")
async def update(customer: Named, caller: SendsUsage, opened: Opened) -> Response:
    """One row, found by its key and changed; durable when it is answered."""
    async with opened.database.transaction(caller.environment) as connection:
        row = (await connection.execute(_UPDATE, {"key": customer, "name": new_id("name")})).one()
    return answer(dict(row._mapping))


def serve(port: int) -> None:
    database = Database(os.environ["DATABASE_URL"])
    app = app_over(Connections(database, None))  # type: ignore[arg-type]  # nobody is asked for a life
    others = list(app.router.routes)
    app.include_router(router)
    app.router.routes[:] = [
        r for r in app.router.routes if r not in others
    ] + others  # found at once
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=IDLE_SECONDS,
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]))
