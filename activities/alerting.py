"""Looking at what alerts watch, and telling what crossed a threshold, once: money in wallets, and what customers use."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from db.alerts import (
    AlertRow,
    Threshold,
    add_alert_event,
    alerts_concerning,
    save_standing,
    standings,
)
from db.catalog import find_keys
from db.customers import find_customer
from db.entitling import circumstances, compute, log_until
from db.facts import load_plan
from db.outbox import announce
from db.spending import Running, billed_in_period, running_of
from db.subscriptions import living_of
from db.usage_horizon import cut_off
from db.used import used_in
from db.watching import Watched
from domain.alerts import (
    Alert,
    Crossing,
    Spent,
    Standing,
    first_start,
    forecast,
    forecast_changes,
    is_reached,
    looked_at,
    percent_used,
    spend,
    threshold_text,
)
from domain.decimals import plain
from domain.features import read_feature
from domain.money import Money
from domain.reading import written
from domain.resets import limited_period
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Figure:
    """What an alert is about, of one customer, in a period, if it has periods: by its start, or that of a limit by when it
    is reset. Where time alone makes it another: `again_at`.
    """

    value: Fraction
    period: datetime | None = None
    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One look, at an instant, by who knows how thresholds stood before."""

    connection: AsyncConnection
    environment: str
    at: datetime
    before: Mapping[Threshold, Standing]


async def watch_alerts(connection: AsyncConnection, watched: Watched) -> datetime | None:
    """Look at every alert of money that a wallet may concern: its owner's, and those of customers whose subscriptions it
    pays for.
    """
    running = await running_of(connection, watched.payer)
    customers = {watched.payer.customer, *(each.subscription.customer for each in running)}
    alerts = await alerts_concerning(connection, watched.payer.currency, customers)
    if not alerts:
        return None
    look = await _look(connection, watched.environment, watched.at, alerts, customers)
    spent = await _spent(connection, watched.payer.customer, running, alerts)
    looks: list[datetime | None] = []
    for row in alerts:
        for customer in sorted(customers) if row.customer is None else [row.customer]:
            if row.alert.type != "balance":
                figure = _money(row.alert, spent.get(customer, ()), watched.at)
            elif customer == watched.payer.customer:
                figure = Figure(watched.wallet.available)
            else:
                continue
            looks.append(await _compare(look, row, customer, figure))
    return min(filter(None, looks), default=None)


async def watch_use(
    connection: AsyncConnection, environment: str, customer: str, at: datetime
) -> datetime | None:
    """Look at every alert of usage and limits that watches a customer, who is locked; when to look again."""
    alerts = await alerts_concerning(connection, None, [customer])
    look = await _look(connection, environment, at, alerts, [customer])
    named = {row.alert.feature for row in alerts if row.alert.feature is not None}
    limits = await _limits(connection, customer, named)
    looks: list[datetime | None] = []
    for row in alerts:
        if row.alert.type == "usage":
            figure = await _used(connection, customer, str(row.alert.meter), at)
        else:
            figure = limits.get(str(row.alert.feature))
        if figure is not None:
            looks.append(await _compare(look, row, customer, figure))
    return min(filter(None, looks), default=None)


async def _look(
    connection: AsyncConnection,
    environment: str,
    at: datetime,
    alerts: Iterable[AlertRow],
    customers: Collection[str],
) -> Look:
    before = await standings(connection, [row.id for row in alerts], customers)
    return Look(connection, environment, at, before)


async def _compare(look: Look, row: AlertRow, customer: str, figure: Figure) -> datetime | None:
    """With every threshold of an alert, and tell what has been crossed; when the figure is another by time alone."""
    for threshold in row.alert.thresholds:
        of = Threshold(row.id, customer, threshold)
        stood = look.before.get(of, Standing())
        reached = is_reached(row.alert.type, threshold, figure.value)
        stands, crossing = looked_at(stood, reached, figure.period)
        if stands != stood:
            await save_standing(look.connection, look.environment, of, stands)
        if crossing is not None:
            await _tell(look, row, of, figure.value, stands, crossing)
    return figure.again_at


async def _tell(
    look: Look,
    row: AlertRow,
    of: Threshold,
    value: Fraction,
    stands: Standing,
    crossing: Crossing,
) -> None:
    connection, environment, at = look.connection, look.environment, look.at
    is_new = await add_alert_event(connection, environment, of, stands.period, crossing, value, at)
    if not is_new:
        return
    told = {
        "alert": row.alert.key,
        "type": row.alert.type,
        "customer": (await find_customer(connection, of.customer)).key,
        "currency": row.alert.currency,
        "meter": row.alert.meter,
        "feature": row.alert.feature,
        "threshold": threshold_text(row.alert, of.threshold),
        "value": plain(value),
        "period": stands.period and written(stands.period),
        "crossing": crossing.number,
    }
    await announce(connection, environment, f"alert.{crossing.status}", row.id, at, told)


def _money(alert: Alert, own: Sequence[Spent], at: datetime) -> Figure:
    periods = [each.period for each in own if each.period is not None]
    if alert.type == "spend":
        return Figure(spend(own), first_start(periods))
    return Figure(forecast(own, at), first_start(periods), forecast_changes(periods, at))


async def _used(
    connection: AsyncConnection, customer: str, meter: str, at: datetime
) -> Figure | None:
    """What was used of a meter, in the period that began first of those in which it is measured for a customer; None where
    it has no subscription, and so no period.
    """
    living = await living_of(connection, customer)
    measuring = [each for each in living if await _measures(connection, each, meter)] or living
    if not measuring:
        return None
    longest = min(measuring, key=lambda each: limited_period(each, at).start)
    period = limited_period(longest, at)
    used = await used_in(connection, longest, meter, period, await cut_off(connection))
    return Figure(used, period.start, period.end if period.end > at else None)


async def _limits(
    connection: AsyncConnection, customer: str, features: Collection[str]
) -> Mapping[str, Figure]:
    """How much of each feature's limit a customer has used, by the features' keys."""
    entries = await find_keys(connection, "features", features) if features else {}
    if not entries:
        return {}
    log = await log_until(connection, await cut_off(connection))
    person = await circumstances(connection, customer)
    figures: dict[str, Figure] = {}
    for key, entry in entries.items():
        told = (await compute(connection, person, read_feature(entry.document), log)).allowance
        percent = percent_used(told.used or Fraction(0), told.limit)
        figures[key] = Figure(percent, told.resets_at, told.valid_until)
    return figures


async def _measures(connection: AsyncConnection, subscription: Subscription, meter: str) -> bool:
    plan = await load_plan(connection, subscription.plan)
    return any(item.meter == meter for item in plan.items)


async def _spent(
    connection: AsyncConnection,
    payer: str,
    running: Sequence[Running],
    alerts: Iterable[AlertRow],
) -> Mapping[str, Sequence[Spent]]:
    """What counts for each customer, where some alert is about it: its own subscriptions, whoever pays for them, and for the
    payer all that it pays for.
    """
    if not any(row.alert.type in ("spend", "forecast") for row in alerts):
        return {}
    billed = await billed_in_period(connection, [each.subscription for each in running])
    spent: dict[str, list[Spent]] = {}
    for each in running:
        subscription, amount = each.subscription, each.amount
        amount += billed.get(subscription.id, Money(0, amount.currency))
        of = Spent(amount.exact, None if subscription.is_over else subscription.period)
        pays = {payer} if subscription.billed_to == payer else set()
        for customer in {subscription.customer} | pays:
            spent.setdefault(customer, []).append(of)
    return spent
