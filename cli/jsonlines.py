"""The loop of the pure commands: JSON Lines in, one answer a line, in order."""

import gc
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from typing import BinaryIO

import typer

from domain.errors import Invalid
from domain.reading import InexactNumber

Answer = Callable[[Mapping[str, object]], Mapping[str, object]]

LONGEST_WHOLE_NUMBER = 1_000
GARBAGE_LEFT = (
    100_000  # answers leave next to no cycles: looking for them often is a sixth of the time
)


class _Repeated(ValueError):
    """A member that occurs twice in one object: either could be meant, so neither is taken."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Repeated(next(name for name in names if names.count(name) > 1))
    return members


def _whole(text: str) -> int | InexactNumber:
    """Python refuses to read numbers of thousands of digits; the rules refuse them with their path."""
    return int(text) if len(text) <= LONGEST_WHOLE_NUMBER else InexactNumber(text)


_read = JSONDecoder(
    parse_float=InexactNumber,
    parse_constant=InexactNumber,
    parse_int=_whole,
    object_pairs_hook=_once,
).decode
_read_forgivingly = JSONDecoder(
    parse_float=InexactNumber, parse_constant=InexactNumber, parse_int=_whole
).decode
_write = JSONEncoder(check_circular=False).encode


def answer_standard_input(answer: Answer) -> None:
    """Answer standard input on standard output; end with status 1 if it cannot be read."""
    gc.freeze()
    gc.set_threshold(GARBAGE_LEFT)
    try:
        answer_lines(answer, _lines(), sys.stdout.buffer)
    except _InputLost as lost:
        typer.echo(f"weir: standard input cannot be read: {lost}", err=True)
        raise typer.Exit(1) from None


def answer_lines(answer: Answer, lines: Iterable[bytes], out: BinaryIO) -> None:
    """Write one answer for each line that is not empty.

    `answer` is given the line's members without `id`, and its answer is written with the line's `id`; what it
    raises as `Invalid` becomes `{"id", "error": {"path", "message"}}`, with all faults in `error.errors` where
    there are several. Each answer is flushed, so that a program can ask and wait.
    """
    for line in lines:
        text = line.rstrip(b"\r\n")
        if text:
            out.write(_answered(answer, text).encode())
            out.flush()


def _answered(answer: Answer, line: bytes) -> str:
    identity: object = None
    try:
        members, repeated = _members(line)
        identity = members.pop("id", None)
        if repeated is not None:
            raise Invalid.at("", f"has the member {repeated} twice in one object")
        answered = answer(members)
    except Invalid as invalid:
        answered = {"error": _error(invalid)}
    except RecursionError:
        answered = {"error": _error(Invalid.at("", "is nested too deeply"))}
    return f'{{"id": {_echo(identity)}, {_write(answered)[1:]}\n'


def _members(line: bytes) -> tuple[dict[str, object], str | None]:
    """The members of a line, and the name of one that occurs twice."""
    repeated = None
    try:
        text = line.removeprefix(BOM_UTF8).decode()
        try:
            document = _read(text)
        except _Repeated as error:
            document, repeated = _read_forgivingly(text), str(error)
    except UnicodeDecodeError:
        raise Invalid.at("", "is not UTF-8") from None
    except JSONDecodeError as error:
        raise Invalid.at("", f"is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(document, dict):
        raise Invalid.at("", "must be a JSON object")
    return document, repeated


def _error(invalid: Invalid) -> dict[str, object]:
    faults: list[dict[str, object]] = [
        {"path": fault.path, "message": fault.message} for fault in invalid.faults
    ]
    return faults[0] if len(faults) == 1 else {**faults[0], "errors": faults}


def _echo(identity: object) -> str:
    """An `id` as it came, whatever it is; null where it is no JSON."""
    if type(identity) is str:
        return _write(identity)
    try:
        return _echoed(identity)
    except RecursionError:
        return "null"


def _echoed(value: object) -> str:
    match value:
        case InexactNumber():
            return str(value) if value[-1].isdigit() else "null"
        case dict():
            return f"{{{', '.join(f'{_write(k)}: {_echoed(v)}' for k, v in value.items())}}}"
        case list():
            return f"[{', '.join(map(_echoed, value))}]"
        case _:
            return _write(value)


class _InputLost(Exception):
    """Standard input broke off; told apart from an output that broke off."""


def _lines() -> Iterable[bytes]:
    if sys.stdin is None:
        raise _InputLost("it is closed")
    try:
        yield from sys.stdin.buffer
    except OSError as error:
        raise _InputLost(error.strerror) from error
