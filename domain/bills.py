"""One invoice of a subscription, with all that it brings to the books."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain import ledger
from domain.account import BilledUsage, Facts, Outcome
from domain.charges import Charge
from domain.credits import Grant, GrantBalance
from domain.invoicing import Bill, issue
from domain.subscription import Subscription


def bill(
    facts: Facts,
    subscription: Subscription,
    name: str,
    at: datetime,
    charges: Sequence[Charge],
    *,
    billing_period: datetime | None = None,
    grants: Sequence[Grant] = (),
    billed: Sequence[BilledUsage] = (),
    was_due: datetime | None = None,
) -> Outcome:
    """Invoice charges under a business name, to the subscription as it is after the step; new `grants` are there
    before the invoice and may pay for it. `billing_period` is the start of the period in which it is issued, by
    default the current one. `was_due` is when it should have been issued, where that is past. Nothing to bill is no
    invoice.
    """
    period = subscription.period
    new = [GrantBalance(grant, grant.amount) for grant in grants]
    granted = tuple(posting for grant in grants for posting in ledger.granted(grant))
    issued = issue(
        Bill(
            name=name,
            subscription=subscription.id,
            customer=facts.customer,
            currency=subscription.currency,
            at=at,
            billing_period=billing_period or (period.start if period else at),
            charges=_told_whose(subscription, charges),
            coupons=subscription.coupons,
            grants=_in_currency(subscription, (*facts.grants, *new)),
            credit_notes=[n for n in facts.credit_notes if n.currency == subscription.currency],
            was_due=was_due,
        )
    )
    if issued is None:
        return Outcome(
            subscription, grants=tuple(grants), transactions=granted, billed=tuple(billed)
        )
    if issued.coupons != subscription.coupons:
        subscription = replace(subscription, coupons=issued.coupons)
    return Outcome(
        subscription,
        invoices=(issued.invoice,),
        credit_notes=issued.credit_notes,
        grants=tuple(grants),
        transactions=(*granted, *issued.transactions),
        billed=tuple(billed),
        bills=(issued.bill,),
    )


def _in_currency(subscription: Subscription, grants: Sequence[GrantBalance]) -> list[GrantBalance]:
    return [balance for balance in grants if balance.remaining.currency == subscription.currency]


def _told_whose(subscription: Subscription, charges: Sequence[Charge]) -> Sequence[Charge]:
    """Where another pays, each line says for whom."""
    if subscription.customer_key is None:
        return charges
    whose = subscription.customer_key
    return [replace(each, description=f"{each.description} ({whose})") for each in charges]
