"""Whatever a caller sends, within the schema or beside it, is answered as the OpenAPI document says, and never with a 500."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.app import app_with
from api.connections import Connections, connect_temporal
from db.ids import new_id
from db.keys import create_key
from db.session import Database
from providers.payments.sandbox.serve import serving_in_thread
from providers.payments.stripe import StripePayments
from tests import servers
from tests.api.conformance import document
from tests.conftest import fresh_environment
from worker import working

EXAMPLES = 4  # of each operation
SKIPPED = "/v1/(tenants|api-keys/.*/revoke)"  # they would take the key away, or make neighbours

schema = from_dict(document()).exclude(path_regex=SKIPPED)
schema.config.phases.coverage.enabled = False
schema.config.seed = 1

# A schema cannot say all that the rules do; and a batch of events or of lines is taken although some in it are wrong.
_NOT_HELD: list[Any] = [positive_data_acceptance]
_NOT_HELD_OF_BATCHES = [*_NOT_HELD, negative_data_rejection]
_BATCHES = ("/v1/events", "/v1/rate", "/v1/periods", "/v1/aggregate")


@schemathesis.serializer("application/x-ndjson")
def lines(context: schemathesis.SerializationContext, value: object) -> bytes:
    members = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(member).encode() for member in members)


@pytest.fixture(scope="module")
def served(
    database_urls: servers.Addresses, temporal_address: str, sandbox_server: str
) -> Iterator[str]:
    """The API with a worker, in a thread of its own; its base URL."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connections]:
        database = Database(database_urls["app"])
        temporal = await connect_temporal({"target_host": temporal_address})
        task_queue = new_id("test")
        async with (
            StripePayments("sk_test_sandbox", address=sandbox_server) as provider,
            working(temporal, database, provider, task_queue),
        ):
            yield Connections(database, temporal, "whsec_of_a_test", task_queue)
        await database.close()

    with serving_in_thread(app_with(connect)) as address:
        yield address


@pytest.fixture(scope="module")
def key(database_urls: servers.Addresses) -> str:
    async def make() -> str:
        database = Database(database_urls["app"])
        environment = await fresh_environment(database)
        async with database.transaction(environment.id) as connection:
            made = await create_key(connection, environment, "a test", ["admin"])
        await database.close()
        return made[1]

    return asyncio.run(make())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_what_a_caller_sends_is_answered_as_we_say(
    case: schemathesis.Case[Any], served: str, key: str
) -> None:
    response = case.call(base_url=served, headers={"Authorization": f"Bearer {key}"})
    not_held = _NOT_HELD_OF_BATCHES if case.path in _BATCHES else _NOT_HELD
    case.validate_response(response, excluded_checks=not_held)
