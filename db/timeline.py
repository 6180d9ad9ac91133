"""What happened to subscriptions, step by step: each step once, under its business name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.money import Money


@dataclass(frozen=True, slots=True)
class Entry:
    """One step. `name` is unique for ever (`period:2026-01-01T00:00:00Z`, `request:{id}`); `body` is what was
    asked, `brought` what came of it, for whoever repeats the step.
    """

    name: str
    what: str
    at: datetime
    actor: str
    brought: Mapping[str, object]
    reason: str | None = None
    body: Mapping[str, object] = field(default_factory=dict)

    @property
    def documents(self) -> Mapping[str, Sequence[str]]:
        """The numbers of the `invoices` and the `credit_notes` that came of it."""
        return {kind: self._told(kind, ()) for kind in ("invoices", "credit_notes")}

    @property
    def refused(self) -> str | None:
        """Why what was scheduled was not done after all."""
        why = self._told("refused", None)
        return None if why is None else str(why)

    def _told(self, name: str, otherwise: object) -> Any:
        answer = self.brought.get("answer")
        return answer.get(name, otherwise) if isinstance(answer, Mapping) else otherwise


_COLUMNS = "name, what, at, actor, brought, reason, body"
_ADD = text("""
    INSERT INTO timeline (environment_id, subscription_id, name, what, at, actor, reason, body, brought)
    VALUES (:environment, :subscription, :name, :what, :at, :actor, :reason, CAST(:body AS jsonb),
        CAST(:brought AS jsonb))
""")
_FIND = text(
    f"SELECT {_COLUMNS} FROM timeline WHERE subscription_id = :subscription AND name = :name"
)
# Its start was asked for by whoever subscribed.
_LIST = text("""
    SELECT t.seq, t.name, t.what, t.at, coalesce(r.actor, t.actor), t.brought,
        coalesce(r.reason, t.reason), t.body
    FROM timeline t LEFT JOIN requests r
        ON t.name = 'start' AND r.kind = 'subscribe' AND r.subscription_id = t.subscription_id
    WHERE t.subscription_id = :subscription AND t.seq > :after
    ORDER BY t.seq LIMIT :limit
""")
_TOTALS = text("""
    SELECT number, total_minor, currency FROM invoices WHERE number = ANY(:numbers)
    UNION ALL SELECT number, total_minor, currency FROM credit_notes WHERE number = ANY(:numbers)
""")


async def record(
    connection: AsyncConnection, environment: str, subscription: str, entry: Entry
) -> None:
    row = {
        "environment": environment,
        "subscription": subscription,
        "name": entry.name,
        "what": entry.what,
        "at": entry.at,
        "actor": entry.actor,
        "reason": entry.reason,
        "body": write_json(entry.body),
        "brought": write_json(entry.brought),
    }
    await connection.execute(_ADD, row)


async def recorded(connection: AsyncConnection, subscription: str, name: str) -> Entry | None:
    """The step of that name, where it has been taken."""
    asked = {"subscription": subscription, "name": name}
    row = (await connection.execute(_FIND, asked)).one_or_none()
    return Entry(*row) if row else None


async def entries(
    connection: AsyncConnection, subscription: str, limit: int, after: int = 0
) -> Sequence[tuple[int, Entry]]:
    """In order, each with its number, from the first with a number greater than `after`."""
    asked = {"subscription": subscription, "after": after, "limit": limit}
    return [(row[0], Entry(*row[1:])) for row in await connection.execute(_LIST, asked)]


async def totals_of(connection: AsyncConnection, steps: Sequence[Entry]) -> Mapping[str, Money]:
    """The totals of the documents that the steps brought, by their numbers."""
    numbers = [number for step in steps for kind in step.documents.values() for number in kind]
    rows = await connection.execute(_TOTALS, {"numbers": numbers})
    return {row.number: Money(row.total_minor, row.currency) for row in rows}
