"""Whether an issued document is what its decision brings when it is decided again, to the byte."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.codec import to_plain
from domain.documents import Document, credit_note_document, invoice_document
from domain.invoices import CreditNote, Invoice

WITHOUT_DECISION = "it was issued before decisions were kept"

# What becomes of a document after it was issued.
_OF_INVOICES = ("status", "amount_paid")
_OF_NOTES = ("remaining",)


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` is dotted (`lines.0.amount`), beneath `exact` where only the unrounded value differs; None is not there."""

    path: str
    issued: object
    recomputed: object


def invoice_differences(issued: Invoice, again: Iterable[Invoice]) -> tuple[Difference, ...]:
    """Where the invoice of that name that was decided again is another than the issued one."""
    found = next((invoice for invoice in again if invoice.name == issued.name), None)
    if found is None:
        return (Difference("", issued.name, None),)
    return _differences(_of_invoice(issued), _of_invoice(replace(found, number=issued.number)))


def note_differences(issued: CreditNote, again: Iterable[CreditNote]) -> tuple[Difference, ...]:
    found = next((note for note in again if note.name == issued.name), None)
    if found is None:
        return (Difference("", issued.name, None),)
    return _differences(_of_note(issued), _of_note(replace(found, number=issued.number)))


def _of_invoice(invoice: Invoice) -> Document:
    """All that an invoice says for ever, as it is shown and, beneath `exact`, unrounded."""
    shown = invoice_document(invoice, invoice.customer, invoice.subscription)
    settled = replace(invoice, status="draft", amount_paid=None)
    return {**_without(shown, _OF_INVOICES), "exact": to_plain(settled)}


def _of_note(note: CreditNote) -> Document:
    shown = credit_note_document(note, note.customer, note.subscription)
    return {**_without(shown, _OF_NOTES), "exact": to_plain(replace(note, remaining=note.total))}


def _without(document: Document, names: tuple[str, ...]) -> Document:
    return {name: member for name, member in document.items() if name not in names}


def _differences(issued: Document, again: Document) -> tuple[Difference, ...]:
    if _written(issued) == _written(again):
        return ()
    found = tuple(_between("", issued, again))
    shown = tuple(each for each in found if not each.path.startswith("exact"))
    return shown or found or (Difference("", "as written", "in another order"),)


def _written(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _between(path: str, issued: Any, again: Any) -> Iterator[Difference]:
    if isinstance(issued, Mapping) and isinstance(again, Mapping):
        for name in dict.fromkeys((*issued, *again)):
            yield from _between(_beneath(path, name), issued.get(name), again.get(name))
    elif isinstance(issued, list) and isinstance(again, list):
        for index in range(max(len(issued), len(again))):
            pair = [each[index] if index < len(each) else None for each in (issued, again)]
            yield from _between(_beneath(path, index), *pair)
    elif issued != again:
        yield Difference(path, issued, again)


def _beneath(path: str, segment: object) -> str:
    return f"{path}.{segment}" if path else str(segment)
