"""What a scenario expects, compared with the document that it brought."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from domain.errors import Invalid
from domain.reading import instant

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def differences(expected: object, got: object, path: str = "") -> Iterator[str]:
    """Each difference, with its path. A list is compared whole and in order, an object only in the members that are
    expected; numbers by value, times by instant.
    """
    match expected, got:
        case Mapping(), Mapping():
            yield from _of_objects(expected, got, path)
        case list() | tuple(), list() | tuple():
            yield from _of_lists(expected, got, path)
        case _ if not _is_same(expected, got):
            yield f"{path or 'the document'}: expected {_shown(expected)}, got {_shown(got)}"


def _of_objects(
    expected: Mapping[str, object], got: Mapping[str, object], path: str
) -> Iterator[str]:
    for name, value in expected.items():
        beneath = f"{path}.{name}" if path else str(name)
        if name not in got:
            yield f"{beneath}: expected {_shown(value)}, but it is not there"
        else:
            yield from differences(value, got[name], beneath)


def _of_lists(expected: Sequence[object], got: Sequence[object], path: str) -> Iterator[str]:
    if len(expected) != len(got):
        yield f"{path}: expected {len(expected)} entries, got {len(got)}"
    for index, (value, found) in enumerate(zip(expected, got, strict=False)):
        yield from differences(value, found, f"{path}.{index}")
    for index, found in enumerate(got[len(expected) :], start=len(expected)):
        yield f"{path}.{index}: not expected, got {_shown(found)}"


def _is_same(expected: object, got: object) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool) or expected is None or got is None:
        return expected is got
    numbers = _number(expected), _number(got)
    if None not in numbers:
        return numbers[0] == numbers[1]
    times = _time(expected), _time(got)
    if None not in times:
        return times[0] == times[1]
    return expected == got


def _number(value: object) -> Fraction | None:
    text = str(value) if isinstance(value, str | int) else ""
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _time(value: object) -> datetime | None:
    try:
        return instant(value)
    except Invalid:
        return None


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 200 else f"{text[:200]} …"
