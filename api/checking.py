"""Whether customers may use features: by what is kept of it, computed anew where that is not fresh."""

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.connections import Connections
from db.allowances import Asked, Found, find_allowances, generations
from db.catalog import find_all, find_keys
from db.customer_entitlements import OverrideRow, overrides_of
from db.entitling import circumstances, compute, log_seen, refresh
from domain.allowances import check_allowance
from domain.checks import Check
from domain.documents import Document, answer_document
from domain.errors import NotFound
from domain.features import read_feature
from domain.plans import Feature
from domain.reading import written

MOST_FEATURES = 1_000


async def check(
    opened: Connections, caller: Caller, checks: Sequence[Check]
) -> list[Document | NotFound]:
    """The answer to each check, in their order, with all that was acknowledged before in it; `NotFound` where there is
    no such customer or feature.
    """
    found = await _found(opened, caller, checks)
    return [
        each if isinstance(each, NotFound) else _answer(each, asked.quantity)
        for asked, each in zip(checks, found, strict=True)
    ]


async def check_all(
    opened: Connections, caller: Caller, customer: str, only: str | None = None
) -> Sequence[Document]:
    """The features of the environment, the oldest `MOST_FEATURES` of them, or one by its key: each with whether anything of
    it may be used now.
    """
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        person = await circumstances(connection, customer)
        given = {row.feature: row for row in await overrides_of(connection, person.customer.id)}
        log = await log_seen(connection)
        features = await _features(connection, only)
        reserved = await _reserved(connection, person.customer.id, [each.key for each in features])
        shown: list[Document] = []
        for feature in features:
            computed = await compute(connection, person, feature, log)
            held = reserved.get(feature.key, Fraction(0))
            answer = answer_document(check_allowance(computed.allowance, Fraction(0), held))
            override = override_document(given.get(feature.key))
            named = {"feature": feature.key, "type": feature.type}
            shown.append({**named, **answer, "override": override})
    return shown


def override_document(row: OverrideRow | None) -> Document | None:
    """What is told of an override, beside what it gives."""
    if row is None:
        return None
    expires_at = None if row.expires_at is None else written(row.expires_at)
    return {"expires_at": expires_at, "reason": row.reason, "given_by": row.given_by}


async def _found(
    opened: Connections, caller: Caller, checks: Sequence[Check]
) -> list[Found | NotFound]:
    """What is kept, where it is fresh: one read, and for most checks the only one."""
    asked = [(each.customer, each.feature) for each in checks]
    async with opened.database.transaction(caller.environment) as connection:
        kept = await find_allowances(connection, asked, datetime.now(UTC))
    old = {
        Asked(each.id, feature)
        for each, (_, feature) in zip(kept, asked, strict=True)
        if each is not None and not each.is_fresh
    }
    anew = await refresh(opened.database, caller.environment, old) if old else {}
    return [
        _known(each, customer, feature, anew)
        for each, (customer, feature) in zip(kept, asked, strict=True)
    ]


def _known(
    kept: Found | None, customer: str, feature: str, anew: dict[Asked, Found]
) -> Found | NotFound:
    if kept is None:
        return NotFound(f"there is no customer {customer}")
    if kept.is_fresh:
        return kept
    return anew.get(Asked(kept.id, feature), NotFound(f"there is no feature {feature}"))


def _answer(found: Found, quantity: Fraction) -> Document:
    return answer_document(check_allowance(found.allowance, quantity, found.reserved))


async def _features(connection: AsyncConnection, only: str | None) -> list[Feature]:
    if only is None:
        entries = await find_all(connection, "features", MOST_FEATURES)
    else:
        entries = list((await find_keys(connection, "features", [only])).values())
    return [read_feature(entry.document) for entry in entries]


async def _reserved(
    connection: AsyncConnection, customer: str, features: Sequence[str]
) -> dict[str, Fraction]:
    """What holds have taken of each feature."""
    known = await generations(connection, [Asked(customer, feature) for feature in features])
    return {asked.feature: reserved for asked, (_, reserved) in known.items()}
