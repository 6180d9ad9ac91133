"""Grains that are emptied, and measured again from the events that stand: some were voided, or came before others in a
level that is set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_gathered import Gathered, LoggedEvent
from db.usage_rollups import as_json, group_hash
from db.usage_voids import STANDS
from domain.metering.grains import grain_of
from domain.metering.meter import Meter

_REACHED = """
    json_to_recordset(CAST(:reached AS json)) AS r (customer text, meter text, start timestamptz, tx text)
"""
_EMPTY = text(f"""
    UPDATE usage_rollups k SET count = 0, last_tx = greatest(k.last_tx, r.tx::xid8), total = NULL,
        highest = NULL, lowest = NULL, latest_time = NULL, latest_arrival = NULL, latest_value = NULL,
        moment = NULL, first_time = NULL, held = NULL
    FROM {_REACHED}
    WHERE k.environment_id = :environment AND k.customer_id = r.customer AND k.meter = r.meter
        AND k.grain = r.start
""")
_FORGET = text(f"""
    DELETE FROM usage_values k USING {_REACHED}
    WHERE k.environment_id = :environment AND k.customer_id = r.customer AND k.meter = r.meter
        AND k.grain = r.start
""")
_STANDING = text(f"""
    SELECT e.tx::text, e.seq, e.event_name, e.customer_id, coalesce(e.subscription_id, ''), e.time,
        e.properties
    FROM unnest(CAST(:customers AS text[]), CAST(:starts AS timestamptz[]),
        CAST(:ends AS timestamptz[])) AS g (customer, start, stop)
    CROSS JOIN LATERAL (
        SELECT * FROM usage_events
        WHERE environment_id = :environment AND customer_id = g.customer
            AND time >= g.start AND time < g.stop OFFSET 0
    ) e
    WHERE e.event_name = :event_name AND {STANDS}
        AND e.tx < CAST(CAST(:until AS text) AS xid8)
""")


_BEFORE = text("""
    SELECT n.place FROM json_to_recordset(CAST(:new AS json)) AS n (place integer, customer text,
        subscription text, meter text, grain timestamptz, group_hash text, time timestamptz, arrival bigint)
    JOIN usage_rollups k ON k.environment_id = :environment AND k.customer_id = n.customer
        AND k.meter = n.meter AND k.grain = n.grain AND k.subscription_id = n.subscription
        AND k.group_hash = decode(n.group_hash, 'hex')
    WHERE (k.latest_time, k.latest_arrival) > (n.time, n.arrival)
""")


async def measure_again(
    connection: AsyncConnection,
    environment: str,
    gathered: Gathered,
    meters: Sequence[Meter],
    until: int,
) -> None:
    """Empty the grains to which no measures can be added, in the rows and in what was gathered, and gather what stands
    in them of transactions before `until`.
    """
    await _find_what_comes_before(connection, environment, gathered)
    if not gathered.reached:
        return
    gathered.begin_anew()
    reached = [
        {"customer": customer, "meter": meter, "start": start.isoformat(), "tx": str(tx)}
        for (customer, meter, start), tx in gathered.reached.items()
    ]
    asked = {"environment": environment, "reached": as_json(reached)}
    await connection.execute(_EMPTY, asked)
    await connection.execute(_FORGET, asked)
    for meter in meters:
        gathered.again(meter, await _standing(connection, environment, gathered, meter, until))


async def _find_what_comes_before(
    connection: AsyncConnection, environment: str, gathered: Gathered
) -> None:
    firsts = gathered.in_order()
    if not firsts:
        return
    keys = list(firsts)
    new = [
        {
            "place": place,
            "customer": key.customer,
            "subscription": key.subscription,
            "meter": key.meter,
            "grain": key.grain.isoformat(),
            "group_hash": group_hash(key.group),
            "time": firsts[key][0].isoformat(),
            "arrival": firsts[key][1],
        }
        for place, key in enumerate(keys)
    ]
    asked = {"environment": environment, "new": as_json(new)}
    for place in (await connection.execute(_BEFORE, asked)).scalars():
        gathered.reach(keys[place])


async def _standing(
    connection: AsyncConnection,
    environment: str,
    gathered: Gathered,
    meter: Meter,
    until: int,
) -> list[LoggedEvent]:
    of_meter = [(customer, start) for customer, key, start in gathered.reached if key == meter.key]
    if not of_meter:
        return []
    asked: Mapping[str, Any] = {
        "environment": environment,
        "event_name": meter.event_name,
        "customers": [customer for customer, _ in of_meter],
        "starts": [start for _, start in of_meter],
        "ends": [start + grain_of(meter) for _, start in of_meter],
        "until": str(until),
    }
    rows = await connection.execute(_STANDING, asked)
    return [LoggedEvent(int(tx), None, *rest) for tx, *rest in rows]
