"""One line of JSON in, the line of its answer out; a fault in the line is its answer too, unless the line is all there is."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Mapping
from json import JSONDecodeError, JSONDecoder, JSONEncoder

from domain.errors import Invalid
from domain.reading import InexactNumber, whole_number

Answer = Callable[[Mapping[str, object]], Mapping[str, object]]


class _Repeated(ValueError):
    """A member that occurs twice in one object: either could be meant, so neither is taken."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        times = Counter(name for name, _ in pairs)
        raise _Repeated(next(name for name in times if times[name] > 1))
    return members


_read = JSONDecoder(
    parse_float=InexactNumber,
    parse_constant=InexactNumber,
    parse_int=whole_number,
    object_pairs_hook=_once,
).decode
_read_forgivingly = JSONDecoder(
    parse_float=InexactNumber, parse_constant=InexactNumber, parse_int=whole_number
).decode
_write = JSONEncoder(check_circular=False).encode


def answer_line(answer: Answer, line: bytes) -> str:
    """Answer one line, and end it.

    `answer` is given the line's members without `id`, and its answer is written with the line's `id`; what it
    raises as `Invalid` becomes `{"id", "error": {"path", "message"}}`, with its faults in `error.errors` where
    there are several.
    """
    identity: object = None
    try:
        members, repeated = _members(line)
        identity = members.pop("id", None)
        _refuse_repeated(repeated)
        answered = answer(members)
    except Invalid as invalid:
        answered = {"error": _error(invalid)}
    except RecursionError:
        answered = {"error": _error(_too_deep())}
    return _told(identity, answered)


def answer_object(answer: Answer, text: bytes) -> str:
    """Answer one object that is sent alone, with its `id`; raise `Invalid` with every fault in it."""
    try:
        members, repeated = _members(text)
        identity = members.pop("id", None)
        _refuse_repeated(repeated)
        return _told(identity, answer(members))
    except RecursionError:
        raise _too_deep() from None


def _told(identity: object, answered: Mapping[str, object]) -> str:
    return f'{{"id": {_echo(identity)}, {_write(answered)[1:]}\n'


def _refuse_repeated(name: str | None) -> None:
    if name is not None:
        raise Invalid.at("", f"has the member {name} twice in one object")


def _too_deep() -> Invalid:
    return Invalid.at("", "is nested too deeply")


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
