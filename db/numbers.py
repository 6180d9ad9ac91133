"""Numbers of documents: one after the other in each environment, without a gap."""

from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_NEXT = text("""
    INSERT INTO counters (environment_id, name, last) VALUES (:environment, :series, 1)
    ON CONFLICT (environment_id, name) DO UPDATE SET last = counters.last + 1 RETURNING last
""")


async def next_number(
    connection: AsyncConnection, environment: str, series: Literal["INV", "CN"]
) -> str:
    """`INV-000001`. It is used if this transaction commits, and the next one's if it does not."""
    asked = {"environment": environment, "series": series}
    number: int = (await connection.execute(_NEXT, asked)).scalar_one()
    return f"{series}-{number:06d}"
