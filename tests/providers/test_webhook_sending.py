"""One attempt at a webhook, at a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from cli.stack.child import free_port
from domain.webhooks.signing import secret_of
from providers.webhooks import sending
from providers.webhooks.sending import Message, WebhookSender
from tests.webhook_receiver import SECRET, Receiver, receiving

NEW_SECRET = secret_of(b"n" * 32)
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    async with WebhookSender() as sender:
        yield sender


def message(url: str, *secrets: str) -> Message:
    return Message("ntf_1", url, '{"amount":"0.10","name":"ü"}', secrets or (SECRET,), True)


async def test_it_is_signed_as_standard_webhooks_has_it(
    receiver: Receiver, sender: WebhookSender
) -> None:
    attempt = await sender.send(message(receiver.url))
    assert (attempt.status, attempt.answer, attempt.error) == (200, "thanks", None)
    (heard,) = receiver.heard
    assert heard.told == {"amount": "0.10", "name": "ü"}
    assert heard.id == "ntf_1"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == receiver.url.split("/")[2]


async def test_every_secret_signs(receiver: Receiver, sender: WebhookSender) -> None:
    await sender.send(message(receiver.url, NEW_SECRET, SECRET))
    (heard,) = receiver.heard  # which knows the old one
    body = '{"amount":"0.10","name":"ü"}'
    assert Webhook(NEW_SECRET).verify(body, heard.headers) == heard.told


async def test_a_redirection_is_not_followed(receiver: Receiver, sender: WebhookSender) -> None:
    receiver.answers, receiver.location = [302], receiver.url
    attempt = await sender.send(message(receiver.url))
    assert (attempt.status, attempt.has_arrived, len(receiver.heard)) == (302, False, 1)


async def test_only_the_beginning_of_an_answer_is_kept(
    receiver: Receiver, sender: WebhookSender
) -> None:
    receiver.said = "x\x00" * 100_000
    attempt = await sender.send(message(receiver.url))
    assert attempt.answer == "x\ufffd" * 512


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_a_private_address_is_not_called(
    receiver: Receiver, sender: WebhookSender, host: str
) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    attempt = await sender.send(replace(message(url), may_be_private=False))
    assert (attempt.status, attempt.error) == (None, "its host is at a private address")
    assert receiver.heard == []


async def test_who_is_not_there_is_told_of(sender: WebhookSender) -> None:
    away = await sender.send(message(f"http://127.0.0.1:{free_port()}/"))
    assert (away.status, away.error) == (None, "All connection attempts failed")
    unknown = await sender.send(message("http://nobody.invalid/"))
    assert unknown.error is not None
    assert unknown.error.startswith("its host cannot be found")


async def test_nobody_is_waited_for_for_ever(
    sender: WebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PATIENCE", timedelta(milliseconds=200))
    receiver.hold()
    attempt = await sender.send(message(receiver.url))
    assert (attempt.status, attempt.error) == (None, "no answer within 0 seconds")


async def test_who_never_ends_his_answer_has_heard_us(
    sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PATIENCE", timedelta(milliseconds=200))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEADERS)
        await reader.read(1_000_000)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    attempt = await sender.send(message(f"http://127.0.0.1:{port}/"))
    server.close()
    assert (attempt.status, attempt.answer, attempt.error) == (200, "hello", None)
