"""Each scenario runs twice, purely and through the REST API, Temporal and PostgreSQL, and brings the same documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from cli.client import WeirClient
from cli.exact_yaml import read_yaml
from cli.live.story import tell
from db.tenants import Environment
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate
from providers.payments.sandbox.remote import SandboxRemote
from tests.api.conftest import Desk

OURS = Path(__file__).parent
SAMPLES = OURS.parents[2] / "shared" / "scenarios"
FILES = sorted([*OURS.glob("*.yaml"), *SAMPLES.glob("*.yaml")])
# Where a story goes on for years in which nothing new comes, its twin lives as long as there is something new.
LIVES_UNTIL = {"anchors-for-ten-years": "2028-03-01T00:00:00Z"}


@pytest.fixture
def raw(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Of the file that the test is for: the others are read by the processes that run their tests."""
    file: Path = request.param
    read = cast("Mapping[str, Any]", read_yaml(file.read_text(encoding="utf-8")))
    return {**read, "until": LIVES_UNTIL.get(file.stem, read["until"])}


@pytest.mark.parametrize("raw", FILES, ids=[file.stem for file in FILES], indirect=True)
async def test_pure_and_live_agree(
    raw: Mapping[str, Any],
    desk: Desk,
    environment: Environment,
    sandbox: SandboxRemote,
    worker: None,
) -> None:
    key = await desk.key(environment, "admin")
    transport = httpx.ASGITransport(desk.app, raise_app_exceptions=False)
    async with WeirClient("http://weir.test", key, transport) as weir:
        live = await tell(raw, weir, sandbox)
    pure = simulate(read_scenario(raw))
    for name, documents in pure.items():
        assert live[name] == documents, name
