"""Meters as the usage path needs them: parsed once, with how far each has been rolled up."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import read_json
from domain.metering.meter import Meter, read_meter

PARSED_METERS = 4_096

_METERS = text("""
    SELECT document::text, rolled_up_to::text, archived_at IS NOT NULL FROM meters
    WHERE CAST(:event_names AS text[]) IS NULL OR document ->> 'event_name' = ANY(:event_names)
    ORDER BY key
""")


@dataclass(frozen=True, slots=True)
class KeptMeter:
    """`rolled_up_to` is the watermark: events of transactions before it are in the meter's rollups."""

    meter: Meter
    rolled_up_to: int
    archived: bool


async def kept_meters(
    connection: AsyncConnection, event_names: Collection[str] | None = None
) -> tuple[KeptMeter, ...]:
    """The environment's meters, or those of them that take events of these names; archived ones too, since
    subscriptions may still be billed by them.
    """
    names = None if event_names is None else sorted(event_names)
    rows = await connection.execute(_METERS, {"event_names": names})
    return tuple(KeptMeter(parsed_meter(row[0]), int(row[1]), row[2]) for row in rows)


@lru_cache(PARSED_METERS)
def parsed_meter(document: str) -> Meter:
    """Of a document that was kept."""
    return read_meter(read_json(document))
