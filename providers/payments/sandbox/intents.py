"""Payment intents: /v1/payment_intents, and what only the world outside can do to them."""

from typing import Any, assert_never

from providers.payments.sandbox.account import Account
from providers.payments.sandbox.api_errors import (
    card_declined,
    invalid_request,
    payment_error,
    unexpected_state,
)
from providers.payments.sandbox.customers import method_of
from providers.payments.sandbox.forms import Params
from providers.payments.sandbox.outcomes import Outcome, next_outcome
from providers.payments.sandbox.store import Json

_CONFIRMABLE = ("requires_payment_method", "requires_confirmation")
_CANCELABLE = (*_CONFIRMABLE, "requires_action")


def create_intent(account: Account, params: Params) -> Json:
    confirm, off_session = params.flag("confirm"), params.flag("off_session")
    if off_session and not confirm:
        raise invalid_request("off_session needs confirm=true", param="off_session")
    method_name = params.text("payment_method")
    if confirm and method_name is None:
        raise invalid_request(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    fields = _fields(account, params)
    method = None if method_name is None else _usable(account, method_name, fields["customer"])
    if method is not None:
        fields |= {"payment_method": method["id"], "status": "requires_confirmation"}
    intent = account.store.new("payment_intents", "pi", fields)
    account.tell("payment_intent.created", intent)
    if confirm and method is not None:
        return _confirmed(account, intent, method, off_session)
    return intent


def read_intent(account: Account, params: Params, name: str) -> Json:
    params.done()
    return account.find("payment_intents", name, "payment_intent", "intent")


def list_intents(account: Account, params: Params) -> Json:
    customer = params.text("customer")
    if customer is not None:
        account.find("customers", customer, "customer", "customer")
    wanted = {"customer": customer}
    return account.page("payment_intents", "/v1/payment_intents", params, wanted)


def confirm_intent(account: Account, params: Params, name: str) -> Json:
    intent = account.find("payment_intents", name, "payment_intent", "intent")
    method_name = params.text("payment_method") or intent["payment_method"]
    off_session = params.flag("off_session")
    params.done()
    if intent["status"] not in _CONFIRMABLE or method_name is None:
        raise unexpected_state(intent, "confirm")
    method = _usable(account, method_name, intent["customer"])
    return _confirmed(account, intent, method, off_session)


def cancel_intent(account: Account, params: Params, name: str) -> Json:
    intent = account.find("payment_intents", name, "payment_intent", "intent")
    reason = params.text("cancellation_reason")
    params.done()
    if intent["status"] not in _CANCELABLE:
        raise unexpected_state(intent, "cancel")
    changes = {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    return _moved(account, intent, "canceled", changes)


def resolve(account: Account, intent: Json, status: str, outcome: Outcome) -> Json:
    """Let an intent that is `processing`, or waits for its customer in `requires_action`, end as told."""
    if intent["status"] != status:
        raise unexpected_state(intent, "settle" if status == "processing" else "authenticate")
    return _apply(
        account, intent, account.store.get("payment_methods", intent["payment_method"]), outcome
    )


def _fields(account: Account, params: Params) -> Json:
    amount = params.whole("amount")
    if amount is None or amount < 1:
        raise invalid_request("Invalid positive integer", param="amount")
    currency = params.required("currency")
    if len(currency) != 3 or not currency.isascii() or not currency.islower():
        raise invalid_request(f"Invalid currency: {currency}", param="currency")
    customer = params.text("customer")
    if customer is not None:
        account.find("customers", customer, "customer", "customer")
    fields = {
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "currency": currency,
        "customer": customer,
        "description": params.text("description"),
        "metadata": params.metadata(),
        "status": "requires_payment_method",
        "payment_method": None,
        "latest_charge": None,
        "last_payment_error": None,
        "next_action": None,
        "cancellation_reason": None,
        "livemode": False,
    }
    choice = params.within("automatic_payment_methods")
    choice.flag("enabled")
    choice.text("allow_redirects")
    choice.done()
    params.done()
    return fields


def _usable(account: Account, name: str, customer: str | None) -> Json:
    method = method_of(account, name)
    if method["customer"] not in (None, customer):
        raise invalid_request(
            "The PaymentMethod does not belong to the customer of this PaymentIntent.",
            param="payment_method",
        )
    return method


def _confirmed(account: Account, intent: Json, method: Json, off_session: bool) -> Json:
    customer = account.store.get("customers", intent["customer"] or "")
    outcome = next_outcome(account.store, customer, method, off_session)
    intent = _apply(account, intent, method, outcome)
    if outcome.kind == "declined":
        raise card_declined(intent["last_payment_error"], intent)
    return intent


def _apply(account: Account, intent: Json, method: Json | None, outcome: Outcome) -> Json:
    changes: dict[str, Any] = {"next_action": None, "last_payment_error": None}
    if method is not None:
        changes["payment_method"] = method["id"]
    match outcome.kind:
        case "succeeded":
            charge = account.store.new("charges", "ch", {"payment_intent": intent["id"]})
            changes |= {"amount_received": intent["amount"], "latest_charge": charge["id"]}
            return _moved(account, intent, "succeeded", changes | {"status": "succeeded"})
        case "processing":
            return _moved(account, intent, "processing", changes | {"status": "processing"})
        case "requires_action":
            action = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
            changes |= {"status": "requires_action", "next_action": action}
            return _moved(account, intent, "requires_action", changes)
        case "declined":
            error = payment_error(outcome.code, method)
            changes |= {"payment_method": None, "last_payment_error": error}
            changes |= {"status": "requires_payment_method"}
            return _moved(account, intent, "payment_failed", changes)
        case _:
            assert_never(outcome.kind)


def _moved(account: Account, intent: Json, happening: str, changes: Json) -> Json:
    intent = account.change("payment_intents", intent, **changes)
    account.tell(f"payment_intent.{happening}", intent)
    return intent
