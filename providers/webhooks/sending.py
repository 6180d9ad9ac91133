"""One attempt to deliver a webhook: signed as Standard Webhooks has it, to an address that may be called.

A name is looked up here, and the connection goes to the very address that was looked at: a name that answers otherwise the
next time leads nowhere else. Redirections are not followed. Errors are part of the answer: nothing is raised.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import TracebackType

import httpx
from standardwebhooks.webhooks import Webhook

from domain.webhooks.addresses import is_public
from domain.webhooks.attempts import LONGEST_ANSWER, PATIENCE, Attempt

CONNECT_SECONDS = (
    4  # so that a host with two addresses of which one is dead is reached within the time
)
LOOK_UPS_AT_ONCE = 32  # each takes a thread, and a slow name server must not hold up other names
LONGEST_ERROR = 200

_certificates = cache(httpx.create_ssl_context)  # slow to read, and the same for every client


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the notification's, the same in every attempt; `secrets` all sign."""

    id: str
    url: str
    body: str
    secrets: Sequence[str] = field(repr=False)
    may_be_private: bool = False


class Unreachable(Exception):
    """Why a message was not sent: shown to whoever reads the delivery."""


@dataclass(slots=True)
class _Heard:
    status: int | None = None
    answer: bytes = b""


class WebhookSender:
    """`async with WebhookSender() as sender`."""

    def __init__(self) -> None:
        # A connection is for one message: the next one to that address may be for another name.
        self._client = httpx.AsyncClient(
            verify=_certificates(),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )
        self._look_ups = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, "webhook-names")

    async def __aenter__(self) -> "WebhookSender":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()
        self._look_ups.shutdown(wait=False, cancel_futures=True)

    async def send(self, message: Message) -> Attempt:
        """Attempt it once, however that ends."""
        began, heard = time.monotonic(), _Heard()
        error: str | None = None
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                await self._send(message, heard)
        except TimeoutError:
            error = f"no answer within {PATIENCE.total_seconds():.0f} seconds"
        except (Unreachable, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as fault:
            error = _in_one_line(fault)
        return Attempt(
            at=datetime.now(UTC),
            milliseconds=int((time.monotonic() - began) * 1000),
            status=heard.status,
            answer=heard.answer[:LONGEST_ANSWER].decode(errors="replace").replace("\x00", "\ufffd"),
            # Who has answered has heard us, though the rest of the answer never came.
            error=error if heard.status is None else None,
        )

    async def _send(self, message: Message, heard: _Heard) -> None:
        url = httpx.URL(message.url)
        addresses = await self._addresses(url, message.may_be_private)
        for number, address in enumerate(addresses, start=1):
            try:
                return await self._post(url, address, message, heard)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise Unreachable("its host has no address")

    async def _post(self, url: httpx.URL, address: str, message: Message, heard: _Heard) -> None:
        headers = {"Host": url.netloc.decode(), **signed(message, datetime.now(UTC))}
        async with self._client.stream(
            "POST",
            url.copy_with(host=address),
            content=message.body.encode(),
            headers=headers,
            extensions={"sni_hostname": url.raw_host.decode()},
        ) as response:
            heard.status = response.status_code
            async for chunk in response.aiter_raw():
                heard.answer += chunk
                if len(heard.answer) >= LONGEST_ANSWER:
                    return

    async def _addresses(self, url: httpx.URL, may_be_private: bool) -> list[str]:
        """Where the host is, as far as it may be called. Raises `Unreachable`."""
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._look_ups, _look_up, url.raw_host.decode(), port
            )
        except OSError as error:
            raise Unreachable(f"its host cannot be found: {error.strerror or error}") from error
        allowed = [each for each in found if may_be_private or is_public(each)]
        if found and not allowed:
            raise Unreachable("its host is at a private address")
        return allowed


def signed(message: Message, at: datetime) -> dict[str, str]:
    """The headers of one attempt: a signature by every secret, so that the receiver knows one of them."""
    signatures = [Webhook(secret).sign(message.id, at, message.body) for secret in message.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Weir",
        "Accept-Encoding": "identity",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = (str(address[0]) for *_, address in found)
    return [each for each in dict.fromkeys(addresses) if "%" not in each]


def _in_one_line(fault: Exception) -> str:
    lines = str(fault).splitlines() or [type(fault).__name__]
    return lines[0][:LONGEST_ERROR]
