"""What has been billed of usage, window by window, and up to which horizon of the usage log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.account import BilledUsage
from domain.calendar import Period
from domain.codec import from_plain, to_plain
from domain.metering.consumption import BEGINNING
from domain.plans import PlanRef


@dataclass(frozen=True, slots=True)
class BilledWindow:
    """Events of transactions from `cut_off` on are not in it."""

    billed: BilledUsage
    cut_off: int


_SAVE = text("""
    INSERT INTO billed_usage (environment_id, subscription_id, item, window_start, window_end,
        plan_key, plan_version, without, quantity, exact_amount, cut_off)
    VALUES (:environment, :subscription, :item, :start, :end,
        :plan_key, :plan_version, CAST(:without AS jsonb), :quantity, :exact_amount,
        CAST(CAST(:cut_off AS text) AS xid8))
    ON CONFLICT (environment_id, subscription_id, item, window_start, window_end) DO UPDATE SET
        plan_key = excluded.plan_key, plan_version = excluded.plan_version,
        without = excluded.without, quantity = excluded.quantity,
        exact_amount = excluded.exact_amount, cut_off = greatest(billed_usage.cut_off, excluded.cut_off)
""")
_OF = text("""
    SELECT b.subscription_id, b.item, b.window_start, b.window_end, b.plan_key, b.plan_version, b.without, b.quantity,
        b.exact_amount, b.cut_off::text AS cut_off
    FROM unnest(CAST(:subscriptions AS text[]), CAST(:since AS timestamptz[])) AS o (subscription, since)
    JOIN billed_usage b ON b.subscription_id = o.subscription AND b.window_end > o.since
    ORDER BY b.window_start, b.item
""")


async def save_billed_usage(
    connection: AsyncConnection,
    environment: str,
    subscription: str,
    billed: Sequence[BilledUsage],
    cut_off: int,
) -> None:
    """Each takes the place of what had been billed of the same item and window."""
    rows = [
        {
            "environment": environment,
            "subscription": subscription,
            "item": each.item,
            "start": each.window.start,
            "end": each.window.end,
            "plan_key": each.plan.key,
            "plan_version": each.plan.version,
            "without": write_json(to_plain(each.without)),
            "quantity": to_plain(each.quantity),
            "exact_amount": to_plain(each.exact_amount),
            "cut_off": str(cut_off),
        }
        for each in billed
    ]
    if rows:
        await connection.execute(_SAVE, rows)


async def billed_windows(
    connection: AsyncConnection, subscription: str
) -> tuple[BilledWindow, ...]:
    """Every closed window of a subscription, oldest first."""
    return (await windows_since(connection, {subscription: BEGINNING}))[subscription]


async def windows_since(
    connection: AsyncConnection, since: Mapping[str, datetime]
) -> dict[str, tuple[BilledWindow, ...]]:
    """Of each of some subscriptions, those that end after an instant of its own."""
    found: dict[str, list[BilledWindow]] = {each: [] for each in since}
    asked = {"subscriptions": list(since), "since": list(since.values())}
    for row in await connection.execute(_OF, asked):
        found[row.subscription_id].append(_read(row))
    return {each: tuple(windows) for each, windows in found.items()}


def _read(row: Row[Any]) -> BilledWindow:
    billed = BilledUsage(
        item=row.item,
        plan=PlanRef(row.plan_key, row.plan_version),
        window=Period(row.window_start, row.window_end),
        quantity=from_plain(Fraction, row.quantity),
        exact_amount=from_plain(Fraction, row.exact_amount),
        without=from_plain(tuple[Period, ...], row.without),
    )
    return BilledWindow(billed, int(row.cut_off))
