"""Facts leave a real worker by themselves, and one that is killed after it has sent sends again under the same id."""

from sqlalchemy import text

from activities.steps import Moment
from db.ids import new_id
from db.webhook_endpoints import add_endpoint, set_secret
from tests.billing_world import FEBRUARY
from tests.e2e.staged import Stage
from tests.webhook_receiver import SECRET, receiving


async def test_an_invoice_is_told_of_though_the_worker_is_killed(stage: Stage) -> None:
    world, endpoint = stage.world, new_id("whe")
    async with receiving() as receiver:
        async with world.database.transaction(world.environment) as connection:
            await add_endpoint(connection, world.environment, endpoint, receiver.url, ["invoice.issued"], None)  # fmt: skip
            await set_secret(connection, world.environment, endpoint, new_id("whs"), SECRET)
        receiver.hold()
        await stage.advance(Moment(FEBRUARY))
        first = await receiver.next()
        assert first.told["data"]["number"] == "INV-000002"
        stage.kill_worker()
        receiver.let_go()
        async with world.database.transaction(world.environment) as connection:
            lease = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE attempts = 0"
            assert (await connection.execute(text(lease))).rowcount == 1
        stage.start_worker()
        again = await receiver.next()
        assert (again.id, again.told) == (first.id, first.told)

        async def is_noted() -> bool:
            rows = await world.rows("SELECT status, attempts FROM webhook_deliveries")
            return rows == [("delivered", 1)]

        await stage.until(is_noted)
