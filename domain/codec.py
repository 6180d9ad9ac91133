"""Frozen values as JSON and back: for rows that keep a state and for what crosses into Temporal.

A `Fraction` is written as `numerator/denominator`, an instant in RFC 3339, a dataclass as an object of its
fields (those at their default are left out, so a field added later reads old states). A union of dataclasses
is told apart by the field whose type is a `Literal` (`action` of a command).
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from domain.reading import instant, written

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """Turn a value of frozen dataclasses, tuples, mappings, fractions and instants into plain JSON."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(member) for key, member in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(member) for member in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_plain(v)
            for f in fields(value)
            if not _is_default(f, v := getattr(value, f.name))
        }
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(kind: type[T], plain: object) -> T:
    """Read back what `to_plain` wrote of a `kind`; raise ValueError or TypeError for anything else."""
    return typing.cast(T, _read(kind, plain))


def _is_default(spec: "Field[Any]", value: object) -> bool:
    if "Literal" in str(spec.type) and spec.name == "action":
        return False  # tells the members of a union apart
    if spec.default is not MISSING:
        return bool(value == spec.default)
    return spec.default_factory is not MISSING and bool(value == spec.default_factory())


def _read(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if kind is Any or kind is object:
        return plain
    if origin in (typing.Union, types.UnionType):
        return _read_union(get_args(kind), plain)
    if origin is typing.Literal:
        return _read_literal(kind, plain)
    if origin is tuple:
        return _read_tuple(get_args(kind), plain)
    if origin is list:
        return [_read(get_args(kind)[0], member) for member in plain]
    if origin is not None and issubclass(origin, Mapping):
        return {key: _read(get_args(kind)[1], member) for key, member in plain.items()}
    if is_dataclass(kind):
        return _read_dataclass(kind, plain)
    return _read_scalar(kind, plain)


def _read_scalar(kind: Any, plain: Any) -> Any:
    if kind is Fraction:
        numerator, _, denominator = plain.partition("/")
        return Fraction(int(numerator), int(denominator))
    if kind is datetime:
        return instant(plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if kind is type(None) and plain is None:
        return None
    if isinstance(kind, type) and type(plain) is kind:
        return plain
    raise TypeError(f"{plain!r} is no {kind}")


def _read_literal(kind: Any, plain: Any) -> Any:
    if plain not in get_args(kind):
        raise ValueError(f"{plain!r} is none of {get_args(kind)}")
    return plain


def _read_tuple(members: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if len(members) == 2 and members[1] is Ellipsis:
        return tuple(_read(members[0], member) for member in plain)
    return tuple(_read(kind, member) for kind, member in zip(members, plain, strict=True))


def _read_union(kinds: tuple[Any, ...], plain: Any) -> Any:
    if plain is None and type(None) in kinds:
        return None
    classes: list[Any] = [kind for kind in kinds if is_dataclass(kind)]
    if isinstance(plain, Mapping) and len(classes) > 1:
        classes = [
            kind for kind in classes if plain.get("action") in get_args(_hints(kind).get("action"))
        ]
        return _read(classes[0], plain) if classes else _no_member(kinds, plain)
    for kind in kinds:
        try:
            return _read(kind, plain)
        except (TypeError, ValueError, AttributeError, KeyError):
            continue
    return _no_member(kinds, plain)


def _no_member(kinds: tuple[Any, ...], plain: Any) -> typing.NoReturn:
    raise TypeError(f"{plain!r} is none of {kinds}")


def _read_dataclass(kind: Any, plain: Any) -> Any:
    hints = _hints(kind)
    return kind(
        **{name: _read(hints[name], member) for name, member in plain.items() if name in hints}
    )


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
