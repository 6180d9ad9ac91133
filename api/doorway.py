"""What every request passes before a route sees it: a bound on its body, its API key, and its `Idempotency-Key`.

All of `/v1` is closed unless it is named in `PUBLIC`: a new route cannot forget to ask for a key.
"""

import asyncio
import hashlib
import time
from dataclasses import replace
from http import HTTPStatus

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Caller, RequestName, authenticate
from api.connections import Connections
from api.problems import TooLarge, answer_error
from db.idempotency import Claim, KeptAnswer, claim, keep
from domain.errors import BillingError, Conflict, Invalid

PUBLIC = frozenset({"/v1/webhooks/stripe"})  # it carries a signature instead of a key
LARGEST_BODY = 8 * 1024 * 1024
LONGEST_NAME = 255
WAIT_SECONDS = 10
LOOK_EVERY_SECONDS = 0.05


class Doorway:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_closed(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            response = await self._let_in(scope, receive, send)
        except BillingError as error:
            response = answer_error(error)
        if response is not None:
            await response(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Pass a request on; a response where it is answered here."""
        connections: Connections = scope["app"].state.connections
        headers = Headers(scope=scope)
        caller = Caller(await authenticate(connections.database, headers.get("authorization")))
        scope.setdefault("state", {})["caller"] = caller
        body = await read_body(headers, receive)
        name = headers.get("idempotency-key")
        if scope["method"] != "POST" or name is None:
            await self._app(scope, _again(body, receive), send)
            return None
        return await self._once(connections, caller, _checked(name), scope, body)

    async def _once(
        self, connections: Connections, caller: Caller, name: str, scope: Scope, body: bytes
    ) -> Response:
        """Run a request that named itself, or give the answer that was given before."""
        fingerprint = _fingerprint(scope, body)
        first = await _first(connections, caller.environment, name, fingerprint)
        if first.fingerprint != fingerprint:
            raise Invalid.at("Idempotency-Key", "was used before, for another request")
        if first.answer is not None:
            return _response(first.answer, replayed=True)
        scope["state"]["caller"] = replace(caller, request=RequestName(name, first.claimed_at))
        answer = Recorder()
        try:
            await self._app(scope, _again(body), answer)
        finally:
            kept = answer.kept(scope["state"].get("body_to_keep"))
            async with connections.database.transaction(caller.environment) as connection:
                await keep(connection, caller.environment, name, kept)
        return answer.response()


class Recorder:
    """An ASGI `send` that keeps the response. What never came counts as a failure, which is not final."""

    def __init__(self) -> None:
        self._start: Message = {"status": HTTPStatus.INTERNAL_SERVER_ERROR, "headers": []}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    def kept(self, body: bytes | None) -> KeptAnswer:
        """What to give to who asks again; `body` in place of one with a secret that is shown once. A response that says
        to come back later is none.
        """
        headers, status = Headers(raw=self._start["headers"]), self._start["status"]
        if "retry-after" in headers:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        content_type = headers.get("content-type", "application/json")
        return KeptAnswer(status, content_type, self._body if body is None else body)

    def response(self) -> Response:
        response = Response(self._body, self._start["status"])
        response.raw_headers = list(self._start["headers"])
        return response


async def _first(
    connections: Connections, environment: str, name: str, fingerprint: bytes
) -> Claim:
    """The claim on a name: ours, or one that was answered. Waits for a twin that still runs, but not for ever."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        async with connections.database.transaction(environment) as connection:
            first = await claim(connection, environment, name, fingerprint)
        if first.mine or first.answer is not None or first.fingerprint != fingerprint:
            return first
        if time.monotonic() > deadline:
            raise Conflict("a request with this Idempotency-Key is still being carried out")
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _is_closed(path: str) -> bool:
    return path.startswith("/v1/") and path not in PUBLIC


def _checked(name: str) -> str:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isascii() or not name.isprintable():
        message = f"must be 1 to {LONGEST_NAME} printable ASCII characters"
        raise Invalid.at("Idempotency-Key", message)
    return name


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    asked = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}\n"
    return hashlib.sha256(asked.encode() + body).digest()


def _response(answer: KeptAnswer, replayed: bool) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(answer.body, answer.status, {**headers, "Content-Type": answer.content_type})


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The whole body. Raises `TooLarge`, before reading where the length is announced."""
    announced = headers.get("content-length", "")
    body = bytearray()
    while not (announced.isdigit() and int(announced) > LARGEST_BODY):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            break
        if not message.get("more_body", False):
            return bytes(body)
    raise TooLarge(f"a body has at most {LARGEST_BODY} bytes")


def _again(body: bytes, then: Receive | None = None) -> Receive:
    """An ASGI `receive` that gives a body that was read already, and after it what comes then."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await then() if then else {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
