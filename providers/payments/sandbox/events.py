"""What happened: /v1/events."""

from providers.payments.sandbox.account import Account
from providers.payments.sandbox.forms import Params
from providers.payments.sandbox.store import Json


def list_events(account: Account, params: Params) -> Json:
    wanted = {"type": params.text("type")}
    return account.page("events", "/v1/events", params, wanted)


def read_event(account: Account, params: Params, name: str) -> Json:
    params.done()
    return account.find("events", name, "event")
