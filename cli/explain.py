"""`weir explain`: why a line of an invoice says what it says, and whether invoices are what their events bring."""

import json
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from cli.events import HERE
from cli.running import fail, run
from domain.errors import BillingError, Invalid

if TYPE_CHECKING:
    from cli.client import WeirClient

DIFFERS = 1
NOT_CHECKED = 2


def explain(
    key: Annotated[
        str, typer.Option(envvar="WEIR_API_KEY", help="An API key: it says which environment.")
    ],
    invoice: Annotated[str | None, typer.Argument(help="An invoice's number or id.")] = None,
    line: Annotated[int | None, typer.Argument(min=1, help="From 1; all, if not given.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute it from events alone, and compare.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="With --verify: every invoice and credit note.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document a line of output.")
    ] = False,
    url: Annotated[str, typer.Option(envvar="WEIR_URL", help="Where the API is.")] = HERE,
) -> None:
    """Explain an invoice's lines: the price at work, the events behind it, each share and each cent.

    With --verify, documents are recomputed from events alone and compared byte by byte. The exit status is 1 where one
    differs, 2 where none does but one could not be checked; one from before decisions were kept is told, and does not count.
    """
    if every and not verify:
        raise fail(Invalid.at("--all", "goes with --verify"))
    if (invoice is None) != every:
        raise fail(Invalid.at("INVOICE", "is required, unless --all is given, and not with it"))
    if verify and line is not None:
        raise fail(Invalid.at("LINE", "does not go with --verify: whole documents are verified"))
    if status := run(lambda: _told(url, key, invoice, line, verify, as_json)):
        raise typer.Exit(status)


async def _told(
    url: str, key: str, invoice: str | None, line: int | None, verify: bool, as_json: bool
) -> int:
    from cli.client import WeirClient

    async with WeirClient(url, key) as weir:
        if verify:
            return await show_verdicts(weir, invoice, as_json)
        assert invoice is not None
        await show_lines(weir, invoice, line, as_json)
        return 0


async def show_lines(weir: "WeirClient", invoice: str, line: int | None, as_json: bool) -> None:
    from rich.console import Console

    from cli.explanations import show

    console = Console(soft_wrap=True)
    numbers = [line] if line is not None else await _numbers(weir, invoice)
    for number in numbers:
        explained = await weir.get(f"invoices/{_quoted(invoice)}/lines/{number}/explain")
        if as_json:
            print(json.dumps(explained, ensure_ascii=False))
        else:
            show(console, explained)


async def show_verdicts(weir: "WeirClient", invoice: str | None, as_json: bool) -> int:
    """Print each verdict; the exit status. A document that cannot be checked is told on standard error, and the others
    are checked.
    """
    from cli.explanations import verdict

    differs = failed = False
    async for kind, number in _documents(weir, invoice):
        try:
            found = await weir.get_slowly(f"{kind}/{_quoted(number)}/verify")
        except BillingError as error:
            failed = True
            print(f"{number} could not be verified: {error}", file=sys.stderr)
            continue
        differs = differs or found["verdict"] == "differs"
        if as_json:
            print(json.dumps(found, ensure_ascii=False))
        else:
            print("\n".join(verdict(found)))
    return DIFFERS if differs else NOT_CHECKED if failed else 0


async def _numbers(weir: "WeirClient", invoice: str) -> list[int]:
    lines = (await weir.get(f"invoices/{_quoted(invoice)}"))["lines"]
    return [number for number, _ in enumerate(lines, start=1)]


async def _documents(weir: "WeirClient", invoice: str | None) -> AsyncIterator[tuple[str, str]]:
    if invoice is not None:
        yield "invoices", invoice
        return
    for kind in ("invoices", "credit-notes"):
        for document in await weir.every(kind):
            yield kind, document["number"]


def _quoted(number: str) -> str:
    return quote(number, safe="")
