"""Stripe's errors as ours: which are answers, which are outages, which are our own mistakes."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from domain.errors import BillingError, Corrupt, Declined, Unavailable
from providers.payments.port import AccessRefused, NotChargeable

_AMOUNT_CODES = {
    "amount_too_small",
    "amount_too_large",
    "invalid_charge_amount_no_decimal_compatible",
}


@contextmanager
def stripe_errors() -> Iterator[None]:
    """Raise our own error for whatever Stripe's client raises inside."""
    try:
        yield
    except stripe.StripeError as error:
        raise billing_error(error) from error


def billing_error(error: stripe.StripeError) -> BillingError:
    match error:
        case stripe.AuthenticationError() | stripe.PermissionError():
            return AccessRefused(f"the payment provider refuses our key: {error}")
        case stripe.CardError():
            return Declined(decline_code(error))
        case stripe.IdempotencyError():
            return Corrupt(f"one name was given to two different requests: {error}")
        case stripe.InvalidRequestError() if error.code in _AMOUNT_CODES:
            return NotChargeable(str(error))
        case stripe.InvalidRequestError():
            return Corrupt(f"the payment provider does not understand us: {error}")
        case _:  # rate limits, server errors, a key in use, no connection, an unreadable answer
            return Unavailable(f"the payment provider did not answer: {error}")


def decline_code(error: stripe.CardError) -> str:
    """The issuer's reason, or the error's own code where the issuer gives none."""
    issuer = error.error.decline_code if error.error is not None else None
    return issuer or error.code or "card_declined"


def is_replayed(error: stripe.APIError) -> bool:
    """Whether a server error is one that Stripe saved under the key and will give again for a day."""
    headers = error.headers or {}
    return headers.get("idempotent-replayed") == "true"
