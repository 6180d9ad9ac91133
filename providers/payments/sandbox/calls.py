"""/v1: how one call is answered, whatever it asks for."""

import json
import secrets
from dataclasses import replace

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from providers.payments.sandbox.account import API_VERSION, Account, Handler
from providers.payments.sandbox.api_errors import ApiError, invalid_request, outage, wrong_key
from providers.payments.sandbox.customers import (
    attach_method,
    create_customer,
    read_customer,
    read_method,
    update_customer,
)
from providers.payments.sandbox.events import list_events, read_event
from providers.payments.sandbox.faults import DropResponse, Fault, Faults, Refuse, SaveError
from providers.payments.sandbox.forms import Params, decode
from providers.payments.sandbox.idempotency import Answer, Call, Keys
from providers.payments.sandbox.intents import (
    cancel_intent,
    confirm_intent,
    create_intent,
    list_intents,
    read_intent,
)
from providers.payments.sandbox.refunds import create_refund, list_refunds, read_refund

KEY_PREFIX = "sk_test_"

_ROUTES: dict[tuple[str, ...], Handler] = {
    ("POST", "customers"): create_customer,
    ("GET", "customers", "*"): read_customer,
    ("POST", "customers", "*"): update_customer,
    ("GET", "payment_methods", "*"): read_method,
    ("POST", "payment_methods", "*", "attach"): attach_method,
    ("GET", "payment_intents"): list_intents,
    ("POST", "payment_intents"): create_intent,
    ("GET", "payment_intents", "*"): read_intent,
    ("POST", "payment_intents", "*", "confirm"): confirm_intent,
    ("POST", "payment_intents", "*", "cancel"): cancel_intent,
    ("GET", "refunds"): list_refunds,
    ("POST", "refunds"): create_refund,
    ("GET", "refunds", "*"): read_refund,
    ("GET", "events"): list_events,
    ("GET", "events", "*"): read_event,
}


class Dropped(Response):
    """Headers that promise a body which never comes, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Calls:
    def __init__(self, account: Account, keys: Keys, faults: Faults) -> None:
        self._account = account
        self._keys = keys
        self._faults = faults

    async def answer(self, request: Request) -> Response:
        """Answer a call under /v1. The order is Stripe's: key, limits, idempotency, parameters, work."""
        call = await _call_of(request)
        fault = self._faults.next_for(call.method, call.path)
        request_id = f"req_{secrets.token_hex(7)}"
        try:
            _authorize(request)
            if isinstance(fault, Refuse):
                raise outage(fault.status)
            if isinstance(fault, DropResponse) and not fault.committed:
                return Dropped()
            answer = await self._once(call, fault, request_id)
        except ApiError as error:
            answer = Answer(error.status, json.dumps(error.body))
        if isinstance(fault, DropResponse):
            return Dropped()
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION, **answer.headers}
        return Response(answer.body, answer.status, headers, media_type="application/json")

    async def _once(self, call: Call, fault: Fault | None, request_id: str) -> Answer:
        """Carry the call out, or give the answer again that its key has kept."""
        kept = self._keys.begin(call)
        if kept is not None:
            return kept
        try:
            await self._faults.wait(fault, "before")
            answer = self._carried_out(call, fault)
            if call.key is not None:
                names = {"Idempotency-Key": call.key, "Original-Request": request_id}
                answer = replace(answer, headers={**answer.headers, **names})
            self._keys.keep(call, answer)
        finally:
            self._keys.end(call)
        await self._faults.wait(fault, "after")
        return answer

    def _carried_out(self, call: Call, fault: Fault | None) -> Answer:
        """The answer that is kept: of the endpoint, or a server error in its place. There is no `await` in
        here: calls never see each other's work half done.
        """
        failed = Answer(500, json.dumps(outage(500).body), {"Stripe-Should-Retry": "false"})
        if isinstance(fault, SaveError) and not fault.committed:
            return failed
        handler, names = _endpoint(call)
        try:
            done = handler(self._account, Params(decode(call.body)), *names)
            answer = Answer(200, json.dumps(done))
        except ApiError as error:
            if not error.executed:
                raise
            answer = Answer(error.status, json.dumps(error.body))
        return failed if isinstance(fault, SaveError) else answer


async def _call_of(request: Request) -> Call:
    path, key = request.url.path, request.headers.get("idempotency-key")
    if request.method != "POST":
        return Call(request.method, path, request.url.query, None)
    body = (await request.body()).decode(errors="replace")
    return Call("POST", path, body, key)


def _authorize(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key.startswith(KEY_PREFIX):
        raise wrong_key(f"Invalid API Key provided: the sandbox takes keys like {KEY_PREFIX}1.")


def _endpoint(call: Call) -> tuple[Handler, tuple[str, ...]]:
    """The handler of a call, and the names in its path."""
    segments = (call.method, *call.path.split("/")[2:])
    for route, handler in _ROUTES.items():
        if len(route) == len(segments) and all(
            wanted in (asked, "*") for wanted, asked in zip(route, segments, strict=True)
        ):
            return handler, tuple(
                asked for wanted, asked in zip(route, segments, strict=True) if wanted == "*"
            )
    raise invalid_request(f"Unrecognized request URL ({call.method}: {call.path}).", status=404)
