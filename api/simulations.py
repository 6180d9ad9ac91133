"""/v1/simulations: what a scenario would bring, computed by the code that bills, without touching anything."""

import asyncio
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.schemas.documents import Raw, responses, shown_as
from api.schemas.simulations import SCENARIO, SCENARIO_EXAMPLE, SIMULATED
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate

router = APIRouter(prefix="/simulations", tags=["simulations"], route_class=ExactRoute)

Scenario = Annotated[Raw, shown_as(SCENARIO, "Scenario", SCENARIO_EXAMPLE)]


@router.post("", summary="Simulate a scenario", responses=responses(SIMULATED, 200))
async def create(body: Scenario, caller: Reads) -> Response:
    """Live through a scenario: its documents, payments, ledger and answers, as `weir simulate` prints them."""
    scenario = read_scenario(body)
    return answer(await asyncio.to_thread(simulate, scenario))  # others want to be answered too
