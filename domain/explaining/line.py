"""One line of an issued invoice, explained: by the charge that it was made from when its decision was taken again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.account import Bill, Facts
from domain.basis import OfCommitment, OfCredit, OfShare, OfUsage
from domain.charges import Charge
from domain.decimals import plain
from domain.documents import ENDLESS_DIGITS, Document, line_document
from domain.errors import Conflict
from domain.explaining import settling
from domain.explaining.consumed import Measured, billed_before, usage_in_words, used
from domain.explaining.formulas import formula
from domain.explaining.shares import commitment, commitment_in_words, share, share_in_words
from domain.invoices import Invoice
from domain.invoicing import billable, work_out
from domain.plans import Item
from domain.pricing.price import Price
from domain.pricing.steps import written as step_document
from domain.pricing.usage import Quantity, Usage
from domain.rating import rate
from domain.reading import written


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a line is explained by. `decision` is its name; `facts` those of the decision, None of a top-up. `item` is
    the plan's, or that of an add-on, as it was made. `measured` and `earlier`, the numbers of invoices that billed the same usage, are of
    lines for usage.
    """

    invoice: Invoice
    place: int  # of the line, from 0
    decision: str
    bill: Bill
    again: Invoice
    facts: Facts | None = None
    item: Mapping[str, object] | None = None
    measured: Measured | None = None
    earlier: Sequence[str] = ()


def explain(evidence: Evidence, events: str) -> Document:
    """The whole explanation; `events` is where the events of a line for usage are listed. Raises Conflict where the
    decision no longer brings such a line.
    """
    charges, place = billable(evidence.bill.charges), evidence.place
    if place >= len(charges):
        raise Conflict(f"{evidence.invoice.number} has other lines when it is decided again")
    charge, line = charges[place], evidence.invoice.lines[place]
    worked = work_out(evidence.bill)
    return {
        "invoice": evidence.invoice.number,
        "line": place + 1,
        "currency": evidence.invoice.currency,
        **line_document(line),
        "plan_version": None if line.plan is None else line.plan.version,
        "agrees": evidence.again.lines[place] == line,
        "decision": evidence.decision,
        "decided_at": written(evidence.invoice.issued_at),
        **_computed(evidence, charge, events),
        "rounding": settling.rounding(evidence.bill, worked, place),
        "discounts": settling.discounts(worked, place),
        "promotional_credits": settling.credits(evidence.bill, worked, place),
        "taxes": settling.taxes(worked, place),
    }


def _computed(evidence: Evidence, charge: Charge, events: str) -> Document:
    """How the exact amount came about; of the ways in which one can, what does not apply is null."""
    nothing: Document = dict.fromkeys(
        ("formula", "item_as_sold", "trace", "rated", "settled", "usage", "billed_before")
    )
    nothing |= dict.fromkeys(("share", "commitment", "asked"))
    match charge.basis:
        case OfUsage():
            return {**nothing, **_of_usage(evidence, charge, events)}
        case OfShare() as basis:
            return {**nothing, **_of_share(evidence, basis)}
        case OfCommitment() as basis:
            told = {"in_words": commitment_in_words(basis), "commitment": commitment(basis)}
            return {**nothing, **told, "item_as_sold": evidence.item}
        case OfCredit():
            return {**nothing, **_credited(charge)}
        case None:
            return {**nothing, **_asked(charge)}


def _of_usage(evidence: Evidence, charge: Charge, events: str) -> Document:
    measured, facts = evidence.measured, evidence.facts
    assert measured is not None
    assert facts is not None
    item, usage = _item(evidence, charge), facts.usage[measured.need]
    return {
        "in_words": usage_in_words(charge),
        **_priced(evidence, item.price, usage),
        "settled": _settled(charge, item),
        "usage": used(measured, item.price, usage, events),
        "billed_before": billed_before(charge, evidence.earlier),
    }


def _of_share(evidence: Evidence, basis: OfShare) -> Document:
    return {
        "in_words": share_in_words(basis),
        **_priced(evidence, basis.price, Quantity(basis.quantity)),
        "share": share(basis),
    }


def _priced(evidence: Evidence, price: Price, usage: Usage) -> Document:
    """The price, in words and at work: the steps' amounts add up to what was `rated`."""
    rated = rate(price, usage)
    return {
        "formula": formula(price),
        "item_as_sold": evidence.item,
        "trace": [step_document(step) for step in rated.trace],
        "rated": plain(rated.amount, ENDLESS_DIGITS),
    }


def _credited(charge: Charge) -> Document:
    told = {
        "quantity": plain(-charge.quantity, ENDLESS_DIGITS),
        "exact_amount": plain(-charge.exact_amount, ENDLESS_DIGITS),
        "invoices": [] if charge.credits_invoice is None else [charge.credits_invoice],
    }
    words = "What was invoiced on account, taken back: the usage of the period is billed whole."
    return {"in_words": words, "billed_before": told}


def _asked(charge: Charge) -> Document:
    asked = {
        "description": charge.description,
        "quantity": plain(charge.quantity),
        "amount": plain(charge.exact_amount, ENDLESS_DIGITS),
    }
    return {"in_words": "What was asked for, as it was asked for.", "asked": asked}


def _settled(charge: Charge, item: Item) -> str | None:
    """What usage that is charged as it arrives is rounded to, before what was billed of it is taken off."""
    if item.charged == "in_arrears" or not isinstance(charge.basis, OfUsage):
        return None
    return plain(charge.basis.exact_amount)


def _item(evidence: Evidence, charge: Charge) -> Item:
    assert evidence.facts is not None
    assert charge.plan is not None
    assert charge.item is not None
    item = evidence.facts.plans[charge.plan].item(charge.item)
    assert item is not None
    return item
