"""What a step was decided on, as it is kept beside the documents that it issued: enough to decide it again.

Left out is what is kept elsewhere and never changes: plans and meters, found by their names; events, and who belonged to
whom, as before the cut-off; lines of invoices that were issued before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from domain.account import BilledUsage, CreditNoteBalance, Facts, IssuedLine
from domain.commands import Cancel, Transfer
from domain.credits import GrantBalance, TopUpOrder
from domain.customers import Customer, Redeemed
from domain.deciding import Taking, kind_of, name_of
from domain.invoicing import Issued
from domain.money import Money
from domain.topups import top_up_invoice


@dataclass(frozen=True, slots=True)
class Before:
    """Which invoices of the subscription there were: those up to `last` in the order of issue, but the `void` ones."""

    last: int
    void: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grounds:
    """A step of a subscription's life. `paid` are the minor units that the provider had been paid for invoices, by their
    names: only where that was looked at, to send money back.
    """

    taking: Taking
    cut_off: int
    customer: Customer
    before: Before
    billed: tuple[BilledUsage, ...] = ()
    grants: tuple[GrantBalance, ...] = ()
    credit_notes: tuple[CreditNoteBalance, ...] = ()
    paid: Mapping[str, int] = field(default_factory=dict)
    redeemed: Mapping[str, Redeemed] = field(default_factory=dict)
    action: Literal["step"] = "step"

    @property
    def name(self) -> str:
        return name_of(self.taking)


@dataclass(frozen=True, slots=True)
class TopUpGrounds:
    """A top-up that was asked for; `name` is its invoice's."""

    name: str
    order: TopUpOrder
    customer: Customer
    currency: str
    at: datetime
    action: Literal["top_up"] = "top_up"


def grounds_of(taking: Taking, facts: Facts, cut_off: int, before: Before) -> Grounds:
    """What to keep of the facts. Which requests were carried out before decides nothing about money."""
    living = replace(taking.subscription, request_ids=())
    return Grounds(
        taking=replace(taking, subscription=living),
        cut_off=cut_off,
        customer=facts.customer,
        before=before,
        billed=facts.billed,
        grants=facts.grants,
        credit_notes=facts.credit_notes,
        paid=_paid(facts.advance) if _sends_back(taking) else {},
        redeemed=facts.redeemed,
    )


def with_payments(grounds: Grounds, lines: tuple[IssuedLine, ...]) -> tuple[IssuedLine, ...]:
    """Lines of earlier invoices, with what had been paid of these then."""
    return tuple(
        replace(line, amount_paid=_money(grounds.paid.get(line.invoice, 0), line)) for line in lines
    )


def topped_up(grounds: TopUpGrounds) -> Issued:
    return top_up_invoice(
        grounds.order, grounds.customer, grounds.currency, grounds.at, grounds.name
    )


def _sends_back(taking: Taking) -> bool:
    step = kind_of(taking)
    return isinstance(step, Cancel | Transfer) and step.unused == "refund"


def _paid(lines: tuple[IssuedLine, ...]) -> dict[str, int]:
    return {line.invoice: line.amount_paid.minor for line in lines if line.amount_paid.minor}


def _money(minor: int, line: IssuedLine) -> Money:
    return Money(minor, line.amount_paid.currency)
