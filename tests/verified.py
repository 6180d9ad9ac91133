"""What tests that issue documents end with: each is recomputed from its events, and agrees to the byte."""

from collections.abc import Iterable

from db.credit_notes import find_credit_notes
from db.invoices import find_invoices
from db.session import Database
from db.verifying import verify_credit_note, verify_invoice
from domain.verifying import Difference

EVERY = 100_000


async def verify_all(database: Database, environments: Iterable[str]) -> None:
    """Every invoice and credit note of some environments has a decision, and is what that brings again."""
    wrong = {
        number: found
        for environment in environments
        for number, found in (await verdicts(database, environment)).items()
        if found != ()
    }
    assert wrong == {}


async def verdicts(
    database: Database, environment: str
) -> dict[str, tuple[Difference, ...] | None]:
    """By number: the differences of each document, or None for one without a decision."""
    async with database.transaction(environment, "REPEATABLE READ") as connection:
        invoices = await find_invoices(connection, EVERY)
        notes = await find_credit_notes(connection, EVERY)
        return {
            **{str(r.invoice.number): await verify_invoice(connection, r) for r in invoices},
            **{str(r.note.number): await verify_credit_note(connection, r) for r in notes},
        }
