"""`weir plans`: plans from published price lists."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.events import HERE
from cli.running import fail, run
from domain.currencies import read_currency
from domain.errors import Fault, Invalid
from domain.reading import decimal, key, not_negative, text

if TYPE_CHECKING:
    from cli.plan_import import Sent
    from domain.price_lists import Imported, Terms

T = TypeVar("T")

SKIPPED_SHOWN = 20

File = Annotated[
    Path,
    typer.Argument(
        help="JSON: prices per token by model.", exists=True, dir_okay=False, readable=True
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--key", envvar="WEIR_API_KEY", help="An API key: it says which environment."),
]
EventName = Annotated[str, typer.Option(help="The usage events that count tokens.")]
Markup = Annotated[str, typer.Option(metavar="PERCENT", help="Onto every price, exactly.")]
DefaultAmount = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="Per token of a model that the list does not have."),
]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Models like gpt-*; may be given more than once."),
]
FillsGaps = Annotated[
    bool,
    typer.Option(
        "--fills-gaps", help="Let it price models that earlier versions of the plan lack."
    ),
]
ShareEvents = Annotated[
    bool,
    typer.Option(
        "--share-events", help="Though other meters count these events: all must tell their tokens."
    ),
]
PrintOnly = Annotated[
    bool, typer.Option("--print", help="Print the meters and the plan, and send nothing.")
]

plans = typer.Typer(no_args_is_help=True, help="Plans from published price lists.")


@plans.callback()
def _plans() -> None:
    """Plans from published price lists."""


@plans.command("import")
def import_file(
    file: File,
    plan: Annotated[str, typer.Option(help="The plan's key.")],
    api_key: ApiKey = None,
    name: Annotated[str | None, typer.Option(help="The plan's name; its key.")] = None,
    currency: Annotated[str, typer.Option(help="What the prices are in.")] = "USD",
    event_name: EventName = "llm.completion",
    markup: Markup = "0",
    default_unit_amount: DefaultAmount = None,
    only: Only = None,
    fills_gaps: FillsGaps = False,
    share_events: ShareEvents = False,
    print_only: PrintOnly = False,
    url: Annotated[str, typer.Option(envvar="WEIR_URL", help="Where the API is.")] = HERE,
) -> None:
    """Make a plan of a price list: an item for each kind of token, each model at its own price.

    The meters it needs are made where they are missing. The same list again is the same version of the plan; another
    one makes a new version, for new subscriptions.
    """
    try:
        terms = _terms(plan, name, currency, event_name, markup, default_unit_amount, only or ())
        terms = replace(terms, fills_gaps=fills_gaps)
        imported = _read(file, terms)
        if not print_only and api_key is None:
            raise Invalid.at("--key", "is required, or WEIR_API_KEY, unless with --print")
    except Invalid as invalid:
        raise fail(invalid) from None
    if print_only:
        _print(imported)
        _tell(imported)
        return
    sent = run(lambda: _send(imported, url, api_key or "", share_events, name is not None))
    _tell(imported)
    _tell_sent(sent)


def _terms(
    plan: str,
    name: str | None,
    currency: str,
    event_name: str,
    markup: str,
    default_unit_amount: str | None,
    only: Sequence[str],
) -> "Terms":
    from domain.price_lists import Terms

    faults: list[Fault] = []

    def read(option: str, parse: Callable[[object], T], value: str, otherwise: T) -> T:
        try:
            return parse(value)
        except Invalid as invalid:
            faults.extend(invalid.beneath(option))
            return otherwise

    terms = Terms(
        plan=read("--plan", key, plan, ""),
        name=read("--name", text, name or plan, ""),
        currency=read("--currency", read_currency, currency, ""),
        event_name=read("--event-name", key, event_name, ""),
        markup=read("--markup", _markup, markup, Fraction(0)),
        default_unit_amount=None
        if default_unit_amount is None
        else read("--default-unit-amount", not_negative, default_unit_amount, Fraction(0)),
        only=tuple(only),
    )
    if faults:
        raise Invalid(faults)
    return terms


def _markup(value: object) -> Fraction:
    percent = decimal(value)
    if percent < -100:
        raise Invalid.at("", "must not take away more than 100 percent")
    return percent / 100


def _read(file: Path, terms: "Terms") -> "Imported":
    from cli.exact_yaml import read_json
    from domain.price_lists import import_list

    try:
        return import_list(read_json(file.read_text(encoding="utf-8")), terms)
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid.at(str(file), f"cannot be read: {error}") from None
    except Invalid as invalid:
        faults = (Fault(fault.path or str(file), fault.message) for fault in invalid.faults)
        raise Invalid(faults) from None


async def _send(
    imported: "Imported", url: str, api_key: str, shares_events: bool, is_named: bool
) -> "Sent":
    from cli.client import WeirClient
    from cli.plan_import import send

    async with WeirClient(url, api_key) as weir:
        return await send(imported, weir, shares_events, is_named)


def _print(imported: "Imported") -> None:
    documents = {"meters": imported.meters, "plan": imported.plan}
    json.dump(documents, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _tell(imported: "Imported") -> None:
    """On standard error: what was made of the list, and what was not."""
    kinds = ", ".join(str(meter["value"]) for meter in imported.meters)
    free = f", {imported.free} of them free of charge" if imported.free else ""
    _say(f"{imported.models} models{free}, by {kinds}")
    for skipped in imported.skipped[:SKIPPED_SHOWN]:
        _say(f"skipped {skipped.model}: {skipped.reason}")
    if (more := len(imported.skipped) - SKIPPED_SHOWN) > 0:
        _say(f"skipped {more} models more")
    if imported.not_charged:
        others = ", ".join(f"{name} ({count})" for name, count in imported.not_charged.items())
        _say(f"not charged, though listed for some of the models: {others}")


def _tell_sent(sent: "Sent") -> None:
    made = f"made {', '.join(sent.meters)}" if sent.meters else "all were there"
    version = "made" if sent.made else "as it was"
    print(f"meters: {made}")
    print(f"plan {sent.plan}: version {sent.version}, {version}")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
