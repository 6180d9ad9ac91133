"""What Stripe's objects mean to us."""

import stripe

from domain.errors import Corrupt
from domain.money import Money
from providers.payments.currencies import amount_of
from providers.payments.port import ChargeRequest, PaymentOutcome, RefundOutcome, RefundStatus
from providers.payments.stripe_errors import decline_code


def outcome_of(intent: stripe.PaymentIntent) -> PaymentOutcome:
    """An attempt's intent, which is made and confirmed in one call, as an answer."""
    received = amount_of(intent.amount_received or 0, intent.currency)
    match intent.status:
        case "succeeded" | "processing" | "requires_action":
            return PaymentOutcome(intent.status, intent.id, None, received)
        case "requires_payment_method":
            return PaymentOutcome("failed", intent.id, _failure_code(intent), received)
        case "canceled":
            return PaymentOutcome("failed", intent.id, "canceled", received)
        case unexpected:
            raise Corrupt(f"{intent.id} is {unexpected}, which no attempt of ours can become")


def declined(error: stripe.CardError, request: ChargeRequest) -> PaymentOutcome:
    """The answer inside a refusal: the intent stays at Stripe, with the decline in it."""
    intent = error.error.payment_intent if error.error is not None else None
    nothing = Money(0, request.amount.currency)
    return PaymentOutcome(
        "failed", intent.id if intent is not None else "", decline_code(error), nothing
    )


def nothing_to_charge(request: ChargeRequest) -> PaymentOutcome:
    return PaymentOutcome("failed", "", "no_payment_method", Money(0, request.amount.currency))


def same_attempt(intent: stripe.PaymentIntent, request: ChargeRequest) -> stripe.PaymentIntent:
    """The intent that was found under the attempt's name; raise `Corrupt` if it moves another amount."""
    asked = amount_of(intent.amount, intent.currency)
    if asked != request.amount:
        raise Corrupt(
            f"{request.idempotency_key} asks for {request.amount} {request.amount.currency},"
            f" but {intent.id} of that name for {asked} {asked.currency}"
        )
    return intent


def refund_outcome_of(refund: stripe.Refund) -> RefundOutcome:
    amount = amount_of(refund.amount, refund.currency)
    failure = getattr(refund, "failure_reason", None)
    return RefundOutcome(_refund_status(refund), refund.id, amount, failure)


def _refund_status(refund: stripe.Refund) -> RefundStatus:
    match refund.status:
        case "succeeded":
            return "succeeded"
        case "pending" | "requires_action":
            return "pending"
        case "failed" | "canceled":
            return "failed"
        case unexpected:
            raise Corrupt(f"{refund.id} is {unexpected}, which we do not know")


def _failure_code(intent: stripe.PaymentIntent) -> str:
    """Stripe leaves `decline_code` out where the issuer gave none."""
    error = intent.last_payment_error
    issuer = getattr(error, "decline_code", None)
    code = getattr(error, "code", None)
    return str(issuer or code or "card_declined")
