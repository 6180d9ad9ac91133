"""Issued documents decided again: each is held against what its decision brings, from the events alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from db.credit_notes import CreditNoteRow
from db.decisions import facts_again, find_decision
from db.invoices import InvoiceRow
from domain.account import Bill, Facts, Outcome
from domain.deciding import decide
from domain.errors import Rejected
from domain.grounds import Grounds, TopUpGrounds, topped_up
from domain.invoices import CreditNote, Invoice
from domain.verifying import Difference, invoice_differences, note_differences


@dataclass(frozen=True, slots=True)
class Again:
    """A decision that was taken again, with the facts it rests on; a top-up rests on what was asked for alone. `add_ons`
    are the documents of those that there were before it or after it, by key.
    """

    grounds: Grounds | TopUpGrounds
    facts: Facts | None
    invoices: Sequence[Invoice]
    credit_notes: Sequence[CreditNote]
    bills: Sequence[Bill]
    add_ons: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


async def decided_again(connection: AsyncConnection, decision: str) -> Again:
    """In a transaction that is REPEATABLE READ. Raises Rejected where the rules refuse now what they brought then."""
    grounds = await find_decision(connection, decision)
    if isinstance(grounds, TopUpGrounds):
        issued = topped_up(grounds)
        return Again(grounds, None, (issued.invoice,), issued.credit_notes, (issued.bill,))
    facts = await facts_again(connection, grounds)
    outcome: Outcome = decide(grounds.taking, facts)
    known = (*outcome.subscription.add_ons, *grounds.taking.subscription.add_ons)
    add_ons = {add_on.key: add_on.document for add_on in known}
    return Again(grounds, facts, outcome.invoices, outcome.credit_notes, outcome.bills, add_ons)


async def verify_invoice(
    connection: AsyncConnection, row: InvoiceRow
) -> tuple[Difference, ...] | None:
    """Where the invoice differs from what its decision brings again; None for one without a decision."""
    if row.decision is None:
        return None
    try:
        again = await decided_again(connection, row.decision)
    except Rejected as refusal:
        return (Difference("", row.invoice.name, str(refusal)),)
    return invoice_differences(row.invoice, again.invoices)


async def verify_credit_note(
    connection: AsyncConnection, row: CreditNoteRow
) -> tuple[Difference, ...] | None:
    if row.decision is None:
        return None
    try:
        again = await decided_again(connection, row.decision)
    except Rejected as refusal:
        return (Difference("", row.note.name, str(refusal)),)
    return note_differences(row.note, again.credit_notes)
