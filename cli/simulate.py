"""`weir simulate`: what the platform would issue in a story, without a server, a database or a clock."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from domain.errors import Invalid

UNREADABLE = 2


def simulate(
    file: Annotated[Path, typer.Argument(help="A scenario in YAML or JSON; - is standard input.")],
    check: Annotated[
        bool, typer.Option(help="Compare with the file's `expect` and print each difference.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(help="Run it through the REST API, Temporal and PostgreSQL, in virtual time."),
    ] = False,
) -> None:
    """Simulate a scenario and print its document: invoices, payments, credits and answers.

    The same code bills in earnest. With --check, the exit status is 1 where something differs; a file that cannot
    be read, or has faults, is told on standard error, with status 2.
    """
    try:
        value = _read(file)
        document = _live(value) if live else _pure(value)
    except Invalid as invalid:
        for fault in invalid.faults:
            typer.echo(f"weir: {file}: {fault.path or 'the file'}: {fault.message}", err=True)
        raise typer.Exit(UNREADABLE) from None
    if check:
        _compare(file, value, document)
    else:
        json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")


def _pure(value: object) -> Mapping[str, object]:
    from domain.scenarios.scenario import read_scenario
    from domain.simulation.run import simulate as run

    return run(read_scenario(value))


def _live(value: object) -> Mapping[str, object]:
    """On servers of its own: a scenario wants an environment, a provider and a clock to itself."""
    from cli.running import run
    from domain.scenarios.scenario import read_scenario

    read_scenario(value)  # its faults, before anything is started
    return run(lambda: _told(cast("Mapping[str, Any]", value)))


async def _told(raw: Mapping[str, Any]) -> Mapping[str, object]:
    from cli.live.story import tell
    from cli.stack.throwaway import throwaway

    async with throwaway("live") as stack:
        return await tell(raw, stack.client, stack.sandbox)


def _read(file: Path) -> object:
    from cli.exact_yaml import read_json, read_yaml

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid.at("", f"cannot be read: {error}") from None
    return read_json(text) if file.suffix == ".json" else read_yaml(text)


def _compare(file: Path, value: object, document: Mapping[str, object]) -> None:
    from domain.scenarios.expectations import differences

    if not isinstance(value, Mapping) or "expect" not in value:
        typer.echo(f"weir: {file}: expect: is required by --check", err=True)
        raise typer.Exit(UNREADABLE)
    found = list(differences(value["expect"], document))
    for difference in found:
        typer.echo(difference)
    if found:
        raise typer.Exit(1)
