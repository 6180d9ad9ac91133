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
) -> Outcome:
    """Invoice charges under a business name, to the subscription as it is after the step; new `grants` are there
    before the invoice and may pay for it. `billing_period` is the start of the period in which it is issued, by
    default the current one. Nothing to bill is no invoice.
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
            charges=charges,
            coupons=subscription.coupons,
            grants=_in_currency(subscription, (*facts.grants, *new)),
            credit_notes=[n for n in facts.credit_notes if n.currency == subscription.currency],
        )
    )
    outcome = Outcome(
        subscription, grants=tuple(grants), transactions=granted, billed=tuple(billed)
    )
    if issued is None:
        return outcome
    return replace(
        outcome,
        subscription=replace(subscription, coupons=issued.coupons),
        invoices=(issued.invoice,),
        credit_notes=issued.credit_notes,
        transactions=(*granted, *issued.transactions),
    )


def _in_currency(subscription: Subscription, grants: Sequence[GrantBalance]) -> list[GrantBalance]:
    return [balance for balance in grants if balance.remaining.currency == subscription.currency]
