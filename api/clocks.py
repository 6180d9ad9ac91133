"""/v1/test-clocks: years in seconds, for customers of a test environment."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from activities.steps import AdvanceClock, Moment
from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas import clocks as schemas
from db.clocks import ClockRow, add_clock, arrive_idly, clock_sets_out, find_clock, find_clocks
from db.plan_migrations import are_moving_on
from domain.errors import Conflict, Forbidden, Invalid
from domain.reading import written
from domain.subscription import Phase
from workflows.handles import NoAnswerYet


def _in_test(caller: Writes) -> None:
    if caller.key.mode == "live":
        raise Forbidden("there are no test clocks in a live environment")


router = APIRouter(prefix="/test-clocks", tags=["test clocks"], route_class=ExactRoute)
InTest = Annotated[None, Depends(_in_test)]


@router.post("", status_code=201, response_model=schemas.TestClock, summary="Make a test clock")
async def create(body: schemas.NewTestClock, caller: Writes, opened: Opened, _: InTest) -> Response:
    """Customers are put on it when they are made."""
    own_id = caller.id_for("clk")
    async with opened.database.transaction(caller.environment) as connection:
        made = await add_clock(connection, caller.environment, own_id, body.name, body.now)
    return answer(document(made), 201)


@router.get("", response_model=schemas.TestClockPage, summary="List test clocks")
async def find_all(page: Page, caller: Reads, opened: Opened) -> Response:
    """Oldest first."""
    async with opened.database.transaction(caller.environment) as connection:
        found = await find_clocks(connection, page.fetch, page.after)
    return answer(page.page(found, document, lambda clock: clock.id))


@router.get("/{clock}", response_model=schemas.TestClock, summary="Read a test clock")
async def find(clock: Named, caller: Reads, opened: Opened) -> Response:
    """`advancing` until all that was due on its way has happened."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await find_clock(connection, clock)))


@router.post("/{clock}/advance", response_model=schemas.TestClock, summary="Advance a test clock")
async def advance(
    clock: Named, body: schemas.Advance, caller: Writes, opened: Opened, _: InTest
) -> Response:
    """Let everyone on it do what is due, instant by instant. Answers when that is done, or after a while while it is
    still `advancing`.
    """
    async with opened.database.transaction(caller.environment) as connection:
        found = await find_clock(connection, clock)
        if body.to < found.now:
            raise Invalid.at("to", f"must not be before what it shows: {written(found.now)}")
        if not await clock_sets_out(connection, found.id, body.to):
            raise Conflict(f"the test clock {clock} is on its way to another time")
        if await are_moving_on(connection, found.id):
            raise Conflict(f"customers on {clock} are being moved to other versions of their plans")
    phase = Phase.DONE if body.due == "through" else Phase.ARRIVED
    by = (body.to, int(phase), int(Phase.EXPIRIES))
    if not await arrive_idly(opened.database, caller.environment, found.id, *by):
        to = AdvanceClock(caller.environment, found.id, Moment(body.to, phase))
        with suppress(NoAnswerYet):  # it goes on without us
            await opened.lives.advance_clock(to)
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await find_clock(connection, clock)))


def document(clock: ClockRow) -> dict[str, object]:
    return {
        "id": clock.id,
        "name": clock.name,
        "now": written(clock.now),
        "status": clock.status,
        "advancing_to": clock.advancing_to and written(clock.advancing_to),
        "created_at": written(clock.created_at),
    }
