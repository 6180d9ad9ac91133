"""Charges that are shares of a whole: recurring items, prorations and commitments."""

from fractions import Fraction

from domain.basis import OfCommitment, OfShare
from domain.decimals import plain
from domain.documents import ENDLESS_DIGITS, Document
from domain.pricing.usage import Quantity
from domain.proration import parts_of
from domain.rating import rate
from domain.reading import written


def share(basis: OfShare) -> Document:
    """The share of the whole period, exactly, with its parts: seconds or local days. What a quantity costs for all of it
    is `full_amount`, less that of the quantity `before` where it was changed.
    """
    full = rate(basis.price, Quantity(basis.quantity)).amount
    if basis.before is not None:
        full -= rate(basis.price, Quantity(basis.before)).amount
    parts = parts_of(basis.part, basis.whole, basis.proration, basis.timezone)
    return {
        "quantity": plain(basis.quantity),
        "quantity_before": None if basis.before is None else plain(basis.before),
        "full_amount": plain(full, ENDLESS_DIGITS),
        "fraction": fraction(basis.share),
        "proration": basis.proration,
        "unit": parts.unit,
        "part": plain(parts.part),
        "whole": plain(parts.whole),
        "part_period": [written(basis.part.start), written(basis.part.end)],
        "whole_period": [written(basis.whole.start), written(basis.whole.end)],
        "timezone": basis.timezone,
    }


def share_in_words(basis: OfShare) -> str:
    if basis.before is not None:
        return "What the new quantity costs for a whole period, less what the old one does, times the share of it that is left."
    if basis.share < 0:
        return "What was charged for the whole period, times the share of it that is given back."
    if basis.share == 1:
        return "What the quantity costs for a whole period."
    return "What the quantity costs for a whole period, times the share of it."


def commitment(basis: OfCommitment) -> Document:
    return {
        "committed": plain(basis.committed),
        "fraction": fraction(basis.share),
        "minimum": plain(basis.committed * basis.share, ENDLESS_DIGITS),
        "spent": plain(basis.spent, ENDLESS_DIGITS),
        "overage_factor": plain(basis.overage_factor),
    }


def commitment_in_words(basis: OfCommitment) -> str:
    whose = "of the period" if basis.item is None else f"of {basis.item} in the period"
    if basis.spent < basis.committed * basis.share:
        return f"The recurring and usage lines {whose} fall short of the minimum: this is the rest."
    return (
        f"What the recurring and usage lines {whose} are above the minimum costs the overage factor:"
        " this is what that adds."
    )


def fraction(share: Fraction) -> str:
    return f"{share.numerator}/{share.denominator}"
