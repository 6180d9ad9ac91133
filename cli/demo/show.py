"""What the demo shows in the terminal: usage, invoices, credits and payments, as the API answers them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Document = Mapping[str, Any]
GOOD, BAD = "green", "red"
COLOURS = {"paid": GOOD, "succeeded": GOOD, "past_due": BAD, "failed": BAD, "void": BAD}


def show_usage(console: Console, rows: Sequence[tuple[str, str, str]]) -> None:
    table = _table("Usage in January", "customer", "meter", "quantity>")
    for customer, meter, quantity in rows:
        table.add_row(customer, meter, quantity)
    console.print(table)


def show_invoice(console: Console, invoice: Document) -> None:
    """An invoice with its lines, from its subtotal to what was left to pay."""
    whose = f"{invoice['number']}  {invoice['customer']}  {invoice['issued_at'][:10]}"
    table = _table(
        f"{whose}  {_coloured(invoice['status'])}", "line", "quantity>", f"{invoice['currency']}>"
    )
    for line in invoice["lines"]:
        table.add_row(line["description"] or line["item"], line["quantity"], line["amount"])
    table.add_section()
    for name in ("subtotal", "discount", "tax", "total", "credits_applied", "amount_due"):
        if name in ("subtotal", "total", "amount_due") or _is_something(invoice[name]):
            table.add_row(f"[bold]{name.replace('_', ' ')}[/bold]", "", invoice[name])
    console.print(table)


def show_ledger(console: Console, postings: Mapping[str, Sequence[Document]]) -> None:
    table = _table("Credits", "date", "customer", "grant", "movement", "amount>")
    for customer, entries in postings.items():
        for entry in entries:
            table.add_row(
                entry["at"][:10], customer, entry["grant"], entry["type"], entry["amount"]
            )
    console.print(table)


def show_payments(console: Console, payments: Sequence[Document]) -> None:
    table = _table("Payments", "date", "invoice", "attempt>", "amount>", "status")
    for payment in payments:
        status = _coloured(payment["status"])
        if payment.get("failure_code"):
            status += f" ({payment['failure_code']})"
        row = (payment["at"][:10], payment["invoice"], str(payment["attempt"]), payment["amount"])
        table.add_row(*row, status)
    console.print(table)


def _table(title: str, *columns: str) -> Table:
    """A column whose name ends with `>` is for numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left")
    return table


def _coloured(status: str) -> str:
    colour = COLOURS.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else status


def _is_something(amount: str) -> bool:
    return amount.strip("0.-") != ""
