"""Overrides for one customer: what it is given of a feature beside all plans, why, and until when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import mark_stale
from db.session import write_json
from domain.entitlements import Override
from domain.errors import NotFound
from domain.features import read_entitlement


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """`document` is that of an entitlement. It is given since an instant, however often it was changed."""

    feature: str
    document: Mapping[str, Any]
    reason: str
    given_by: str
    since: datetime
    expires_at: datetime | None

    def override(self, timezone: str) -> Override:
        """As the rules have it; `timezone` is the customer's."""
        given = read_entitlement(self.document)
        return Override(given, self.since, self.expires_at, timezone)


_COLUMNS = "feature, document, reason, given_by, since, expires_at"
_PUT = text("""
    INSERT INTO customer_entitlements AS kept (environment_id, customer_id, feature, document, reason,
        given_by, since, expires_at)
    VALUES (:environment, :customer, :feature, CAST(:document AS jsonb), :reason,
        :given_by, :since, :expires_at)
    ON CONFLICT (environment_id, customer_id, feature) DO UPDATE SET document = excluded.document,
        reason = excluded.reason, given_by = excluded.given_by, expires_at = excluded.expires_at,
        since = CASE WHEN kept.expires_at <= excluded.since THEN excluded.since ELSE kept.since END
""")
_REMOVE = text("""
    DELETE FROM customer_entitlements WHERE customer_id = :customer AND feature = :feature
    RETURNING feature
""")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM customer_entitlements WHERE customer_id = :customer ORDER BY feature
""")


async def put_override(
    connection: AsyncConnection, environment: str, customer: str, given: OverrideRow
) -> None:
    """Put an override in the place of the one that the customer, by id, has for the feature. One that had expired
    begins anew.
    """
    row = {
        "environment": environment,
        "customer": customer,
        "feature": given.feature,
        "document": write_json(given.document),
        "reason": given.reason,
        "given_by": given.given_by,
        "since": given.since,
        "expires_at": given.expires_at,
    }
    await connection.execute(_PUT, row)
    await mark_stale(connection, customer)


async def remove_override(connection: AsyncConnection, customer: str, feature: str) -> None:
    """Raises `NotFound` where there is none."""
    asked = {"customer": customer, "feature": feature}
    if (await connection.execute(_REMOVE, asked)).one_or_none() is None:
        raise NotFound(f"there is no override for the feature {feature}")
    await mark_stale(connection, customer)


async def overrides_of(connection: AsyncConnection, customer: str) -> Sequence[OverrideRow]:
    """Those of a customer, by id; expired ones, too."""
    return [OverrideRow(*row) for row in await connection.execute(_LIST, {"customer": customer})]
