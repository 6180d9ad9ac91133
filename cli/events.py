"""`weir events`: usage events from files."""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from cli.running import fail, run
from domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from cli.event_files import Mapped
    from cli.event_import import Imported, Report, Sink

Format = Literal["csv", "jsonl"]

HERE = "http://127.0.0.1:8080"
FAULTS_SHOWN = 50

events = typer.Typer(no_args_is_help=True, help="Usage events from files.")


@events.callback()
def _events() -> None:
    """Usage events from files."""


@events.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with a header, or JSON Lines.", exists=True, dir_okay=False),
    ],
    key: Annotated[
        str, typer.Option(envvar="WEIR_API_KEY", help="An API key: it says which environment.")
    ],
    event_name: Annotated[str | None, typer.Option(help="For lines without one.")] = None,
    customer: Annotated[str | None, typer.Option(help="For lines without one: key or id.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Where id, event_name, customer, time, subscription or a property is found.",
        ),
    ] = None,
    id_prefix: Annotated[
        str | None,
        typer.Option(help="With its number, the id of a line without one; the file's name."),
    ] = None,
    format: Annotated[Format | None, typer.Option(help="By the file's name, if not given.")] = None,
    from_line: Annotated[int, typer.Option(min=1, help="Leave out the lines before.")] = 1,
    url: Annotated[str, typer.Option(envvar="WEIR_URL", help="Where the API is.")] = HERE,
    direct: Annotated[
        bool,
        typer.Option("--direct", help="Into the database of DATABASE_URL, by the same rules."),
    ] = False,
) -> None:
    """Send a file of usage events.

    Columns named like an event's fields are these fields; all others are properties. Times without a zone are UTC.
    Each event counts once, so a file may be sent again. What is wrong is told line by line, and the rest is kept.
    """
    from cli.event_files import Mapped

    prefix = f"{file.name}:" if id_prefix is None else id_prefix
    try:
        mapped = Mapped(_columns(columns or ()), event_name, customer, prefix)
    except Invalid as invalid:
        raise fail(invalid) from None
    imported = run(lambda: _import(file, format, mapped, from_line, _sink(url, key, direct)))
    _tell(imported)
    if imported.faults:
        raise typer.Exit(1)


def _columns(given: Sequence[str]) -> Mapping[str, str]:
    columns = {}
    for each in given:
        name, equals, column = each.partition("=")
        if not (name and equals and column):
            raise Invalid.at("--map", f"must be like time=TIMESTAMP, not {each}")
        columns[name] = column
    return columns


async def _import(
    file: Path,
    format: Format | None,
    mapped: "Mapped",
    from_line: int,
    opening: "AbstractAsyncContextManager[Sink]",
) -> "Imported":
    from cli.event_files import format_of, read_lines
    from cli.event_import import import_lines

    with file.open("rb") as content, _progress(content) as report:
        lines = read_lines(content, format or format_of(file), mapped, from_line)
        async with opening as sink:
            return await import_lines(lines, sink, report)


@asynccontextmanager
async def _sink(url: str, key: str, direct: bool) -> "AsyncIterator[Sink]":
    from cli.client import WeirClient
    from cli.event_import import OverHttp

    if direct:
        async with _database(key) as sink:
            yield sink
        return
    async with WeirClient(url, key) as client:
        yield OverHttp(client)


@asynccontextmanager
async def _database(key: str) -> "AsyncIterator[Sink]":
    from cli.event_import import Directly
    from cli.settings import read_settings
    from db.keys import find_key
    from db.session import Database

    database = Database(read_settings(os.environ).database_url)
    try:
        async with database.registry() as connection:
            found = await find_key(connection, key)
        if found is None:
            raise NotFound("this API key is not known, or it was revoked")
        yield Directly(database, found.environment_id)
    finally:
        await database.close()


@contextmanager
def _progress(file: BinaryIO) -> "Iterator[Report]":
    """A bar on standard error, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    counts = TextColumn("{task.fields[accepted]} accepted, {task.fields[faults]} faults")
    shown = (TextColumn("{task.description}"), BarColumn(), counts, TimeRemainingColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal) as progress:
        size = os.fstat(file.fileno()).st_size
        task = progress.add_task(Path(file.name).name, total=size, accepted=0, faults=0)

        def report(imported: "Imported", read: int) -> None:
            faults = len(imported.faults)
            progress.update(task, completed=read, accepted=imported.accepted, faults=faults)

        yield report


def _tell(imported: "Imported") -> None:
    for fault in imported.faults[:FAULTS_SHOWN]:
        print(fault, file=sys.stderr)
    if (more := len(imported.faults) - FAULTS_SHOWN) > 0:
        print(f"and {more} faults more", file=sys.stderr)
    print(
        f"{imported.accepted} accepted, {imported.duplicates} duplicates,"
        f" {len({fault.line for fault in imported.faults})} lines rejected"
    )
