"""Documents out: the JSON that shows an invoice, a payment, a balance, wherever it is shown.

Money is written with its currency's decimals, quantities plainly, times in RFC 3339. Customers, subscriptions and
grants are shown by the keys their users gave them, which the caller knows.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction

from domain.allowances import Checked
from domain.calendar import Period
from domain.credits import GrantBalance
from domain.decimals import plain
from domain.errors import Conflict, Declined, Forbidden, Invalid, NotFound, Rejected
from domain.invoices import CreditNote, Invoice, Line
from domain.ledger import Movement
from domain.money import Money, total
from domain.payments import Payment
from domain.reading import instant, written
from domain.subscription import Subscription

Document = dict[str, object]

ENDLESS_DIGITS = 12  # of an exact amount that does not terminate

# From the narrowest to the widest: the first that fits counts.
_REFUSALS: tuple[tuple[type[Rejected], int, str], ...] = (
    (Invalid, 422, "Not valid"),
    (NotFound, 404, "Not found"),
    (Forbidden, 403, "Not allowed"),
    (Declined, 402, "Payment declined"),
    (Conflict, 409, "Conflict"),
    (Rejected, 409, "Refused"),
)


def invoice_document(invoice: Invoice, customer: str, subscription: str | None) -> Document:
    """An invoice; `customer` and `subscription` are the keys to show."""
    paid = invoice.amount_paid or Money(0, invoice.currency)
    return {
        "number": invoice.number,
        "subscription": subscription,
        "customer": customer,
        "issued_at": written(invoice.issued_at),
        "due_at": written(invoice.due_at),
        "status": invoice.status,
        "currency": invoice.currency,
        "lines": [line_document(line) for line in invoice.lines],
        "subtotal": str(invoice.subtotal),
        "discount": str(invoice.discount),
        "credits_applied": str(invoice.promotional + invoice.prepaid),
        "promotional_credits": str(invoice.promotional),
        "tax": str(invoice.tax),
        "total": str(invoice.total),
        "credit_notes_applied": str(invoice.credit_notes_applied),
        "prepaid_credits": str(invoice.prepaid),
        "amount_due": str(invoice.amount_due),
        "amount_paid": str(paid),
        "discounts": [
            {"coupon": each.coupon, "amount": str(each.amount)} for each in invoice.discounts
        ],
        "taxes": [
            {
                "rate": each.rate,
                "percent": plain(each.percent),
                "inclusive": each.inclusive,
                "amount": str(each.amount),
            }
            for each in invoice.taxes
        ],
    }


def line_document(line: Line) -> Document:
    return {
        "item": line.item,
        "kind": line.kind,
        "description": line.description,
        "quantity": plain(line.quantity),
        "amount": str(line.amount),
        "exact_amount": plain(line.exact_amount, ENDLESS_DIGITS),
        "period": None if line.period is None else _period(line.period),
        "discount": str(line.discount),
        "credits": str(line.credits),
        "tax": str(line.tax),
        "plan": None if line.plan is None else line.plan.key,
        "credits_invoice": line.credits_invoice,
    }


def credit_note_document(note: CreditNote, customer: str, subscription: str | None) -> Document:
    return {
        "number": note.number,
        "subscription": subscription,
        "customer": customer,
        "issued_at": written(note.issued_at),
        "reason": note.reason,
        "currency": note.currency,
        "lines": [line_document(line) for line in note.lines],
        "subtotal": str(note.subtotal),
        "tax": str(note.tax),
        "total": str(note.total),
        "refunded": str(note.refunded),
        "remaining": str(note.remaining),
    }


def payment_document(payment: Payment) -> Document:
    return {
        "at": written(payment.at),
        "kind": payment.kind,
        "amount": str(payment.amount),
        "currency": payment.amount.currency,
        "status": payment.status,
        "failure_code": payment.failure_code,
        "attempt": payment.attempt,
        "invoice": payment.invoice,
    }


def in_order(payments: Iterable[Payment]) -> list[Payment]:
    """Payments by their times; of one instant, what came in before what was sent back."""
    return sorted(payments, key=lambda payment: (payment.at, payment.kind == "refund"))


def ledger_document(at: datetime, movement: Movement, grant: str, amount: Money) -> Document:
    """A movement of a grant's credit; the type says which way, the amount how much. A transfer tells both sides of it:
    what a grant has given to another is below zero. `amount` is what the grant has more by it.
    """
    moved = -amount if amount.minor < 0 and movement != "transfer" else amount
    return {"at": written(at), "type": movement, "grant": grant, "amount": str(moved)}


def check_document(at: datetime, customer: str, feature: str, checked: Checked) -> Document:
    return {
        "at": written(at),
        "customer": customer,
        "feature": feature,
        "allowed": checked.allowed,
        "used": None if checked.used is None else plain(checked.used),
        "limit": None if checked.limit is None else plain(checked.limit),
    }


def answer_document(checked: Checked) -> Document:
    """The answer to a check, as it is told to whoever asks and to those who keep it. What a soft limit tells, and a static
    value, are there where there is such a thing.
    """
    document: Document = {
        "allowed": checked.allowed,
        "limit": _quantity(checked.limit),
        "used": _quantity(checked.used),
        "remaining": _quantity(checked.remaining),
        "resets_at": None if checked.resets_at is None else written(checked.resets_at),
        "reason": checked.reason,
    }
    if checked.soft_limit is not None:
        document["soft_limit"] = plain(checked.soft_limit)
        document["soft_limit_reached"] = checked.soft_limit_reached
    if checked.value is not None:
        value = checked.value
        document["value"] = list(value) if isinstance(value, tuple) else value
    return document


def balance_document(
    at: datetime,
    customer: str,
    currency: str,
    grants: Iterable[GrantBalance],
    credit_notes: Iterable[Money],
) -> Document:
    """What a customer has in a currency at an instant; `credit_notes` are what is left of each. Grants that share a
    key are shown as one.
    """
    known = [balance for balance in grants if balance.remaining.currency == currency]
    by_key: dict[str, Money] = {}
    for balance in known:
        key = balance.grant.key
        by_key[key] = by_key.get(key, Money(0, currency)) + balance.at(at)
    sums = {
        kind: str(total([b.at(at) for b in known if b.grant.kind == kind], currency))
        for kind in ("promotional", "prepaid")
    }
    notes = total([money for money in credit_notes if money.currency == currency], currency)
    return {
        "at": written(at),
        "customer": customer,
        "currency": currency,
        **sums,
        "credit_notes": str(notes),
        "grants": {key: str(remaining) for key, remaining in by_key.items()},
    }


def in_unit(balance: GrantBalance) -> Document:
    """A grant in the unit that it was given in; nulls for one in its currency alone."""
    unit = balance.grant.unit
    if unit is None:
        return dict.fromkeys(("unit", "unit_rate", "unit_amount", "unit_remaining"))
    return {
        "unit": unit.key,
        "unit_rate": plain(unit.rate),
        "unit_amount": plain(unit.of(balance.grant.amount), ENDLESS_DIGITS),
        "unit_remaining": plain(unit.of(balance.remaining), ENDLESS_DIGITS),
    }


def units_left(at: datetime, currency: str, grants: Iterable[GrantBalance]) -> Mapping[str, str]:
    """What grants of a currency are worth at an instant in each custom unit, added up exactly."""
    left: dict[str, Fraction] = {}
    for balance in grants:
        unit = balance.grant.unit
        if unit is not None and unit.currency == currency:
            left[unit.key] = left.get(unit.key, Fraction(0)) + unit.of(balance.at(at))
    return {unit: plain(amount, ENDLESS_DIGITS) for unit, amount in left.items()}


def subscription_document(subscription: Subscription, customer: str) -> Document:
    """`current_period` is the trial while that lasts, and null when the life is over."""
    current = subscription.period
    if subscription.status == "trialing" and subscription.trial_end is not None:
        current = Period(subscription.started_at, subscription.trial_end)
    if subscription.is_over:
        current = None
    return {
        "key": subscription.key,
        "customer": customer,
        "plan": subscription.plan.key,
        "status": subscription.status,
        "current_period": None if current is None else _period(current),
    }


def refusal_document(at: datetime, action: str, error: Rejected) -> Document:
    """The answer to an action that the rules forbid."""
    status, title = next(
        (status, title) for kind, status, title in _REFUSALS if isinstance(error, kind)
    )
    told = {"status": status, "title": title, "detail": str(error)}
    return {"at": written(at), "action": action, "error": told}


def notifications(
    invoices: Iterable[Document], credit_notes: Iterable[Document], payments: Iterable[Document]
) -> list[Document]:
    """What the customers are told, in the order of its times: documents issued, and how each payment went."""
    told: list[Document] = [
        *(_told(i["issued_at"], "invoice.issued", invoice=i["number"]) for i in invoices),
        *(
            _told(n["issued_at"], "credit_note.issued", credit_note=n["number"])
            for n in credit_notes
        ),
        *(_told(p["at"], f"{p['kind']}.{p['status']}", invoice=p["invoice"]) for p in payments),
    ]
    return sorted(told, key=lambda each: instant(each["at"]))


def _told(at: object, type: str, **of: object) -> Document:
    return {"at": at, "type": type, **of}


def _quantity(quantity: Fraction | None) -> str | None:
    return None if quantity is None else plain(quantity)


def _period(period: Period) -> list[str]:
    return [written(period.start), written(period.end)]
