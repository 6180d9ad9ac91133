"""`weir explain`: what is printed of explanations and verdicts, and when the exit status is 1."""

import json
from collections.abc import Mapping

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.client import WeirClient
from cli.explain import show_lines, show_verdicts
from cli.explanations import show, verdict
from cli.main import app

AGREES: Mapping[str, object] = {
    "number": "INV-000001",
    "verdict": "agrees",
    "reason": None,
    "differences": [],
}
DIFFERS = {
    "number": "INV-000002",
    "verdict": "differs",
    "reason": None,
    "differences": [{"path": "lines.1.amount", "issued": "2.51", "recomputed": "2.50"}],
}
TOO_OLD = {
    "number": "CN-000001",
    "verdict": "cannot be verified",
    "reason": "it was issued before decisions were kept",
    "differences": [],
}


def weir(*verdicts: Mapping[str, object]) -> WeirClient:
    """A Weir that has issued these documents."""
    kept = {str(each["number"]): each for each in verdicts}

    def respond(request: httpx.Request) -> httpx.Response:
        *_, number, last = request.url.path.split("/")
        if last == "verify":
            return httpx.Response(200, json=kept[number])
        prefix = {"invoices": "INV", "credit-notes": "CN"}[last]
        listed = [{"number": name} for name in kept if name.startswith(prefix)]
        return httpx.Response(200, json={"data": listed, "next": None})

    return WeirClient("http://weir.test", "a key", httpx.MockTransport(respond))


async def test_every_document_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    async with weir(AGREES, TOO_OLD) as client:
        assert not await show_verdicts(client, None, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "INV-000001 agrees",
        "CN-000001 cannot be verified: it was issued before decisions were kept",
    ]


async def test_one_that_differs_is_told_with_where(capsys: pytest.CaptureFixture[str]) -> None:
    async with weir(AGREES, DIFFERS) as client:
        assert await show_verdicts(client, None, as_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [AGREES, DIFFERS]
    assert list(verdict(DIFFERS)) == [
        "INV-000002 differs",
        "  lines.1.amount: issued '2.51', recomputed '2.50'",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["INV-000001", "--all"], "--all: goes with --verify"),
        ([], "INVOICE: is required, unless --all is given"),
        (["INV-000001", "1", "--verify"], "LINE: does not go with --verify"),
        (["INV-000001", "--verify", "--all"], "INVOICE: is required, unless --all is given"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: list[str], said: str) -> None:
    told = CliRunner().invoke(app, ["explain", "--key", "a key", *arguments])
    assert (told.exit_code, said in told.stderr) == (1, True)


@pytest.mark.parametrize(("other", "status"), [(AGREES, 2), (DIFFERS, 1)])
async def test_one_that_cannot_be_checked_does_not_end_the_others(
    other: Mapping[str, object], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/A/verify"):
            raise httpx.ReadTimeout("")
        if request.url.path.endswith("/verify"):
            assert request.extensions["timeout"]["read"] is None
            return httpx.Response(200, json=other)
        numbers = ["A", "B"] if request.url.path.endswith("/invoices") else []
        return httpx.Response(200, json={"data": [{"number": n} for n in numbers], "next": None})

    async with WeirClient("http://weir.test", "a key", httpx.MockTransport(respond)) as client:
        assert await show_verdicts(client, None, as_json=False) == status
    told = capsys.readouterr()
    assert told.out.startswith(str(other["number"]))
    reason = "Weir at http://weir.test does not answer: ReadTimeout"
    assert told.err == f"A could not be verified: {reason}\n"


async def test_a_number_is_one_part_of_the_path() -> None:
    asked: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json={"lines": []})

    async with WeirClient("http://weir.test", "a key", httpx.MockTransport(respond)) as client:
        await show_lines(client, "../a?b#c", None, as_json=True)
    assert asked == [b"/v1/invoices/..%2Fa%3Fb%23c"]


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    step = {"step": "cells.[red].[/x]", "quantity": "1", "rate": None, "amount": "2"}
    rounding = dict.fromkeys(("exact_subtotal", "subtotal", "floor", "in_words"), "2")
    none = dict.fromkeys(("period", "usage", "share", "commitment", "asked"))
    line = {"invoice": "INV-1", "line": 1, "description": "[/bold] [gpt]", "kind": "usage"}
    line |= {"amount": "2", "currency": "USD", "exact_amount": "2", "agrees": True, "in_words": ""}
    line |= {"trace": [step], "formula": "[/a]", "rated": "2", "rounding": rounding}
    lists: dict[str, object] = {"discounts": [], "promotional_credits": [], "taxes": []}
    show(Console(soft_wrap=True), {**none, **line, **lists})
    told = capsys.readouterr().out
    assert told.startswith("INV-1 line 1: [/bold] [gpt] (usage)\n")
    assert "cells.[red].[/x]" in told
