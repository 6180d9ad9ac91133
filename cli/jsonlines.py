"""The loop of the pure commands: JSON Lines in, one answer a line, in order."""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from typing import BinaryIO, cast

import typer

from domain.calculators.lines import Answer, answer_line

READ_AT_ONCE = 65_536  # bytes
GARBAGE_LEFT = (
    100_000  # answers leave next to no cycles: looking for them often is a sixth of the time
)


def answer_standard_input(answer: Answer) -> None:
    """Answer standard input on standard output; end with status 1 if it cannot be read."""
    gc.freeze()
    gc.set_threshold(GARBAGE_LEFT)
    try:
        answer_lines(answer, lines_as_they_come(_read_some), sys.stdout.buffer)
    except _InputLost as lost:
        typer.echo(f"weir: standard input cannot be read: {lost}", err=True)
        raise typer.Exit(1) from None


def answer_lines(answer: Answer, batches: Iterable[Sequence[bytes]], out: BinaryIO) -> None:
    """Write one answer for each line that is not empty.

    The answers to a batch are flushed before the next batch is asked for, so that a program can ask and wait.
    """
    for lines in batches:
        for line in lines:
            text = line.rstrip(b"\r\n")
            if text:
                out.write(answer_line(answer, text).encode())
        out.flush()


def lines_as_they_come(read_some: Callable[[], bytes]) -> Iterator[list[bytes]]:
    """The lines that are complete, each time some input has come; at the end, the last one as it is."""
    begun: list[bytes] = []  # of a line whose end is not there yet
    while some := read_some():
        *lines, rest = some.split(b"\n")
        if lines:
            lines[0] = b"".join((*begun, lines[0]))
            begun.clear()
            yield lines
        begun.append(rest)
    yield [b"".join(begun)]


class _InputLost(Exception):
    """Standard input broke off; told apart from an output that broke off."""


def _read_some() -> bytes:
    """What there is of standard input: waits only where there is nothing."""
    if sys.stdin is None:
        raise _InputLost("it is closed")
    try:
        return cast(BufferedReader, sys.stdin.buffer).read1(READ_AT_ONCE)
    except OSError as error:
        raise _InputLost(error.strerror) from error
