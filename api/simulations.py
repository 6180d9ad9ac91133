"""/v1/simulations: what a scenario would bring, or another plan would have brought, computed by the code that bills,
without touching anything.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.connections import Opened
from api.schemas.documents import Raw, responses, shown_as
from api.schemas.simulations import ASKED, SCENARIO_EXAMPLE, TOLD
from api.what_if import read_what_if, what_if
from domain.documents import Document
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate

MOST_STEPS = 20_000

router = APIRouter(prefix="/simulations", tags=["simulations"], route_class=ExactRoute)

Asked = Annotated[Raw, shown_as(ASKED, "Simulation", SCENARIO_EXAMPLE)]


@router.post("", summary="Simulate", responses=responses(TOLD, 200))
async def create(body: Asked, caller: Reads, opened: Opened) -> Response:
    """Live through a scenario: its documents, payments, ledger and answers, as `weir simulate` prints them. What comes to
    more than 20,000 steps (entries of the timeline, repeated ones each, and what comes due) is for the command. With a
    `customer` and a `plan`: that customer's real history re-rated under that plan, beside what was billed.
    """
    if "customer" in body:
        return answer(await what_if(opened, caller, read_what_if(body)))
    # In a thread: others want to be answered too.
    return answer(await asyncio.to_thread(_simulated, body))


def _simulated(body: Mapping[str, Any]) -> Document:
    return simulate(read_scenario(body, MOST_STEPS), MOST_STEPS)
