"""Customers and their payment methods: /v1/customers, /v1/payment_methods."""

from providers.payments.sandbox.account import Account
from providers.payments.sandbox.api_errors import (
    card_declined,
    invalid_request,
    no_such,
    payment_error,
)
from providers.payments.sandbox.forms import Params
from providers.payments.sandbox.outcomes import METHODS
from providers.payments.sandbox.store import Json

_EXPIRES = {"exp_month": 12, "exp_year": 2050, "last4": "4242"}


def create_customer(account: Account, params: Params) -> Json:
    fields = {
        "object": "customer",
        "name": params.text("name"),
        "email": params.text("email"),
        "description": params.text("description"),
        "metadata": params.metadata(),
        "invoice_settings": {"default_payment_method": None},
        "livemode": False,
    }
    params.done()
    customer = account.store.new("customers", "cus", fields)
    account.tell("customer.created", customer)
    return customer


def read_customer(account: Account, params: Params, name: str) -> Json:
    params.done()
    return account.find("customers", name, "customer")


def update_customer(account: Account, params: Params, name: str) -> Json:
    customer = account.find("customers", name, "customer")
    changes: Json = {
        field: value
        for field in ("name", "email", "description")
        if (value := params.text(field)) is not None
    }
    changes["metadata"] = {**customer["metadata"], **params.metadata()}
    settings = params.within("invoice_settings")
    method = settings.text("default_payment_method")
    settings.done()
    params.done()
    if method is not None:
        _require_attached(account, method, name)
        changes["invoice_settings"] = {"default_payment_method": method}
    customer = account.change("customers", customer, **changes)
    account.tell("customer.updated", customer)
    return customer


def attach_method(account: Account, params: Params, name: str) -> Json:
    customer = params.required("customer")
    params.done()
    account.find("customers", customer, "customer", "customer")
    method = method_of(account, name)
    if method["customer"] not in (None, customer):
        raise invalid_request(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
        )
    refusal = METHODS[method["sandbox_method"]].attached
    if refusal.kind == "declined":
        raise card_declined(payment_error(refusal.code, None))
    method = account.change("payment_methods", method, customer=customer)
    account.tell("payment_method.attached", method)
    return method


def read_method(account: Account, params: Params, name: str) -> Json:
    params.done()
    return account.find("payment_methods", name, "PaymentMethod", "payment_method")


def method_of(account: Account, name: str) -> Json:
    """The method of that id; for a test method's name (`pm_card_visa`) a new one of its kind."""
    known = account.store.get("payment_methods", name)
    if known is not None:
        return known
    behaviour = METHODS.get(name)
    if behaviour is None:
        raise no_such("PaymentMethod", name, "payment_method")
    details = (
        {"brand": behaviour.brand, **_EXPIRES} if behaviour.type == "card" else {"last4": "6789"}
    )
    fields = {
        "object": "payment_method",
        "type": behaviour.type,
        behaviour.type: details,
        "customer": None,
        "metadata": {},
        "livemode": False,
        "sandbox_method": name,
    }
    return account.store.new("payment_methods", "pm", fields)


def _require_attached(account: Account, method: str, customer: str) -> None:
    if (
        account.find("payment_methods", method, "PaymentMethod", "payment_method")["customer"]
        != customer
    ):
        raise invalid_request(
            "The customer does not have a payment method with that ID.",
            param="invoice_settings[default_payment_method]",
        )
