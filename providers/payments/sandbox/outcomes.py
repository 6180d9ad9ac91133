"""How the sandbox answers an attempt: by the customer's script, or else by what the payment method does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domain.errors import Invalid
from providers.payments.sandbox.store import Json, Store

_DECLINE = re.compile(r"declined:([a-z][a-z0-9_]{0,79})", re.ASCII)
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code` is the issuer's, and belongs to `declined` alone."""

    kind: Literal["succeeded", "declined", "requires_action", "processing"]
    code: str = ""


SUCCEEDED = Outcome("succeeded")


def read_outcome(text: str) -> Outcome:
    """`succeeded`, `requires_action`, `processing` or `declined:CODE`."""
    match text:
        case "succeeded" | "requires_action" | "processing":
            return Outcome(text)
        case _ if decline := _DECLINE.fullmatch(text):
            return Outcome("declined", decline[1])
        case _:
            raise Invalid.at(
                "", f"{text!r} is not succeeded, requires_action, processing or declined:CODE"
            )


@dataclass(frozen=True, slots=True)
class Method:
    """What a test payment method does when it is attached, charged, and charged with the customer away."""

    type: Literal["card", "us_bank_account"]
    attached: Outcome
    charged: Outcome
    charged_off_session: Outcome
    brand: str = "visa"


def _card(brand: str) -> Method:
    return Method("card", SUCCEEDED, SUCCEEDED, SUCCEEDED, brand)


def _refused(code: str) -> Method:
    """The issuer refuses it from the start: it cannot even be attached."""
    refusal = Outcome("declined", code)
    return Method("card", refusal, refusal, refusal)


_FAILS_LATER = Outcome("declined", "generic_decline")
_ASKS = Outcome("requires_action")
_AWAY = Outcome("declined", "authentication_required")
_SLOW = Outcome("processing")

# Stripe's own test methods (docs.stripe.com/testing), those that matter to us.
METHODS = {
    "pm_card_visa": _card("visa"),
    "pm_card_mastercard": _card("mastercard"),
    "pm_card_amex": _card("amex"),
    "pm_card_chargeCustomerFail": Method("card", SUCCEEDED, _FAILS_LATER, _FAILS_LATER),
    "pm_card_authenticationRequired": Method("card", SUCCEEDED, _ASKS, _AWAY),
    "pm_usBankAccount_processing": Method("us_bank_account", SUCCEEDED, _SLOW, _SLOW),
    "pm_card_chargeDeclined": _refused("generic_decline"),
    "pm_card_visa_chargeDeclined": _refused("generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": _refused("insufficient_funds"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _refused("insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": _refused("lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": _refused("stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": _refused("expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": _refused("incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": _refused("processing_error"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": _refused("card_velocity_exceeded"),
}


def script(store: Store, customer: str, outcomes: Sequence[str]) -> Json:
    """Let `outcomes` answer the attempts of a customer in turn, from the next one on; the last repeats.
    `customer` is the sandbox's id or the customer's own key, which need not exist yet.
    """
    if not 1 <= len(outcomes) <= _MOST:
        raise Invalid.at("outcomes", f"must have from 1 to {_MOST} entries")
    for index, text in enumerate(outcomes):
        try:
            read_outcome(text)
        except Invalid as invalid:
            raise Invalid.at(f"outcomes.{index}", invalid.faults[0].message) from None
    return store.put("scripts", customer, {"outcomes": list(outcomes), "used": 0})


def next_outcome(store: Store, customer: Json | None, method: Json, off_session: bool) -> Outcome:
    """How this attempt ends; uses up one entry of the customer's script, if there is one."""
    for name in _names(customer):
        scripted = store.get("scripts", name)
        if scripted is not None:
            outcomes: list[str] = scripted["outcomes"]
            used: int = scripted["used"]
            store.put("scripts", name, {**scripted, "used": used + 1})
            return read_outcome(outcomes[min(used, len(outcomes) - 1)])
    behaviour = METHODS[method["sandbox_method"]]
    return behaviour.charged_off_session if off_session else behaviour.charged


def _names(customer: Json | None) -> list[str]:
    if customer is None:
        return []
    return [name for name in (customer["id"], customer["metadata"].get("key")) if name]
