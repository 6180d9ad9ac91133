"""What a line of an issued invoice is explained by, and the events that it was computed from."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalog import find
from db.decisions import facts_but_usage, find_decision, measures_again, needs_again
from db.invoices import InvoiceRow
from db.line_events import LineEvents
from db.plans import find_plan
from db.pools import consumer_of
from db.verifying import decided_again
from domain.account import Facts, Need
from domain.errors import Conflict, NotFound
from domain.explaining.consumed import Measured
from domain.explaining.line import Evidence
from domain.grounds import Grounds, TopUpGrounds
from domain.invoices import Line
from domain.on_account import takes_back
from domain.pricing.price import usage_shape
from domain.verifying import WITHOUT_DECISION

# Late usage is measured against all that was billed, usage in advance against invoices that stand.
_EARLIER = text("""
    SELECT i.number FROM invoices i
    WHERE i.subscription_id = :subscription AND i.seq <= :last AND NOT i.name = ANY(:void) AND EXISTS (
        SELECT FROM invoice_lines l WHERE l.environment_id = i.environment_id AND l.invoice_id = i.id
            AND l.kind IN ('usage', 'late_usage') AND l.item = :item AND l.period_start = :start
            AND l.plan_key = :plan AND l.plan_version = :version
    ) ORDER BY i.seq
""")


async def evidence_of(connection: AsyncConnection, row: InvoiceRow, number: int) -> Evidence:
    """What explains a line, the first of which is number 1. In a transaction that is REPEATABLE READ. Raises `NotFound`
    where there is no such line, and `Conflict` for an invoice without a decision or that this no longer brings.
    """
    line = _line(row, number)
    again = await decided_again(connection, _decision(row))
    pairs = zip(again.bills, again.invoices, strict=True)
    found = [(bill, made) for bill, made in pairs if made.name == row.invoice.name]
    if not found:
        raise Conflict(f"{row.invoice.number} is not issued when it is decided again")
    bill, invoice = found[0]
    evidence = Evidence(row.invoice, number - 1, again.grounds.name, bill, invoice, again.facts)
    if isinstance(again.grounds, TopUpGrounds) or again.facts is None:
        return evidence
    item = await _item_as_sold(connection, line) or again.add_ons.get(line.item or "")
    if not _is_of_events(line):
        return replace(evidence, item=item)
    need = _need(again.grounds, again.facts, line)
    measured = await _measured(connection, again.grounds, again.facts, need)
    earlier = await _earlier(connection, again.grounds, line)
    return replace(evidence, item=item, measured=measured, earlier=earlier)


async def events_behind(connection: AsyncConnection, row: InvoiceRow, number: int) -> LineEvents:
    """Where the events of a line for usage are read. Raises as `evidence_of` does, and `NotFound` for a line that is not
    for usage.
    """
    line = _line(row, number)
    grounds = await find_decision(connection, _decision(row))
    if isinstance(grounds, TopUpGrounds) or not _is_of_events(line):
        raise NotFound(f"line {number} of {row.invoice.number} is not for usage: it has no events")
    facts = await facts_but_usage(connection, grounds)
    need = _need(grounds, facts, line)
    consumer = await consumer_of(connection, grounds.taking.subscription, grounds.cut_off)
    return LineEvents(grounds, need, facts.meters[need.meter], consumer)


def _line(row: InvoiceRow, number: int) -> Line:
    if not 1 <= number <= len(row.invoice.lines):
        raise NotFound(f"{row.invoice.number} has no line {number}")
    return row.invoice.lines[number - 1]


def _is_of_events(line: Line) -> bool:
    """Whether usage is behind it, and not an invoice that is credited."""
    return line.kind in ("usage", "late_usage") and not takes_back(line)


def _decision(row: InvoiceRow) -> str:
    if row.decision is None:
        raise Conflict(f"{row.invoice.number} cannot be explained: {WITHOUT_DECISION}")
    return row.decision


def _need(grounds: Grounds, facts: Facts, line: Line) -> Need:
    """The usage that a line bills, in the shape of its price: of its window, or at the end of a day of the part of it
    that is over.
    """
    item = None if line.plan is None else facts.plans[line.plan].item(line.item or "")
    found = [
        need
        for need in needs_again(grounds, facts)
        if item is not None
        and line.period is not None
        and (need.item, need.shape) == (item.key, usage_shape(item.price))
        and need.window.start == line.period.start
        and need.window.end <= line.period.end
    ]
    if not found:
        raise Conflict(
            f"the window of {line.item} ended at the instant it began: no usage is behind this line, which takes back"
            " what was charged in advance of it"
        )
    return min(found, key=lambda need: need.window.end)


async def _measured(
    connection: AsyncConnection, grounds: Grounds, facts: Facts, need: Need
) -> Measured:
    meter = facts.meters[need.meter]
    return Measured(
        need=need,
        meter=meter,
        document=(await find(connection, "meters", meter.key)).document,
        measures=await measures_again(connection, grounds, meter, need.window),
        timezone=grounds.taking.subscription.timezone,
        cut_off=grounds.cut_off,
    )


async def _item_as_sold(connection: AsyncConnection, line: Line) -> Mapping[str, object] | None:
    """The item of the plan's version, as it was made."""
    if line.plan is None or line.item is None:
        return None
    version = await find_plan(connection, line.plan.key, line.plan.version)
    items = cast("Iterable[Mapping[str, object]]", version.document["items"])
    return next((item for item in items if item["key"] == line.item), None)


async def _earlier(connection: AsyncConnection, grounds: Grounds, line: Line) -> list[str]:
    """The numbers of the invoices that had billed the same usage."""
    assert line.period is not None
    assert line.plan is not None
    void = () if line.kind == "late_usage" else grounds.before.void
    asked = {
        "subscription": grounds.taking.subscription.id,
        "last": grounds.before.last,
        "void": list(void),
        "item": line.item,
        "start": line.period.start,
        "plan": line.plan.key,
        "version": line.plan.version,
    }
    return list((await connection.execute(_EARLIER, asked)).scalars())
