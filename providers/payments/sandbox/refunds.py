"""Money that goes back: /v1/refunds, and disputes, which the customer's bank opens."""

from typing import Any

from providers.payments.sandbox.account import Account
from providers.payments.sandbox.api_errors import invalid_request, unexpected_state
from providers.payments.sandbox.forms import Params
from providers.payments.sandbox.store import Json


def create_refund(account: Account, params: Params) -> Json:
    name = params.required("payment_intent")
    amount, reason, metadata = params.whole("amount"), params.text("reason"), params.metadata()
    params.done()
    intent = account.find("payment_intents", name, "payment_intent", "payment_intent")
    if intent["status"] != "succeeded":
        raise unexpected_state(intent, "refund")
    left = intent["amount_received"] - _refunded(account, name)
    if left == 0:
        raise invalid_request(
            "The charge has already been refunded.", code="charge_already_refunded"
        )
    amount = left if amount is None else amount
    if not 1 <= amount <= left:
        raise invalid_request(
            f"Refund amount ({amount}) is not from 1 to the unrefunded amount ({left}).",
            param="amount",
        )
    fields = {
        "object": "refund",
        "amount": amount,
        "currency": intent["currency"],
        "payment_intent": name,
        "charge": intent["latest_charge"],
        "reason": reason,
        "metadata": metadata,
        "status": "succeeded",
    }
    refund = account.store.new("refunds", "re", fields)
    account.tell("refund.created", refund)
    return refund


def read_refund(account: Account, params: Params, name: str) -> Json:
    params.done()
    return account.find("refunds", name, "refund", "refund")


def list_refunds(account: Account, params: Params) -> Json:
    wanted = {"payment_intent": params.text("payment_intent")}
    return account.page("refunds", "/v1/refunds", params, wanted)


def open_dispute(account: Account, intent: Json) -> Json:
    """The customer's bank takes a payment back, for now."""
    if intent["status"] != "succeeded":
        raise unexpected_state(intent, "dispute")
    fields: dict[str, Any] = {
        "object": "dispute",
        "amount": intent["amount_received"],
        "currency": intent["currency"],
        "payment_intent": intent["id"],
        "charge": intent["latest_charge"],
        "reason": "fraudulent",
        "metadata": {},
        "status": "needs_response",
    }
    dispute = account.store.new("disputes", "du", fields)
    account.tell("charge.dispute.created", dispute)
    return dispute


def _refunded(account: Account, intent: str) -> int:
    return sum(
        refund["amount"]
        for refund in account.store.newest_first("refunds")
        if refund["payment_intent"] == intent
    )
