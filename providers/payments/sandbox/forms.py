"""Stripe's form bodies: `metadata[invoice]=1&confirm=true` becomes a tree, read name by name."""

import re
from typing import Any
from urllib.parse import parse_qsl

from providers.payments.sandbox.api_errors import invalid_request
from providers.payments.sandbox.store import Json

_NAME = re.compile(r"[^\[\]]+(\[[^\[\]]*\])*")
_MOST_METADATA = 50
_LONGEST_METADATA = 500
_PAGE = 100


def decode(body: str) -> Json:
    """A body or a query string as a tree of objects and texts."""
    tree: Json = {}
    for name, value in parse_qsl(body, keep_blank_values=True):
        if _NAME.fullmatch(name) is None:
            raise invalid_request(f"Invalid parameter name: {name}", param=name)
        *outer, last = re.findall(r"[^\[\]]+", name)
        branch = tree
        for segment in outer:
            branch = branch.setdefault(segment, {})
            if not isinstance(branch, dict):
                raise invalid_request(f"{name} is both a value and an object", param=name)
        branch[last] = value
    return tree


class Params:
    """The parameters of one call. Each is read once by name; `done` refuses what nobody asked for."""

    def __init__(self, tree: Json, inside: str = "") -> None:
        self._tree = dict(tree)
        self._inside = inside

    def text(self, name: str) -> str | None:
        value = self._tree.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "Invalid string")
        return value or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            path = self._path(name)
            raise invalid_request(
                f"Missing required param: {path}.", param=path, code="parameter_missing"
            )
        return value

    def whole(self, name: str, default: int | None = None) -> int | None:
        value = self.text(name)
        if value is None:
            return default
        if re.fullmatch(r"-?[0-9]{1,15}", value, re.ASCII) is None:
            raise self._wrong(name, f"Invalid integer: {value}", code="parameter_invalid_integer")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self.text(name) or "false"
        if value not in ("true", "false"):
            raise self._wrong(name, f"Invalid boolean: {value}")
        return value == "true"

    def within(self, name: str) -> "Params":
        value = self._tree.pop(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "Invalid object")
        return Params(value, self._path(name))

    def metadata(self) -> dict[str, str]:
        value: Any = self._tree.pop("metadata", {})
        if not isinstance(value, dict) or len(value) > _MOST_METADATA:
            raise self._wrong("metadata", f"Must be at most {_MOST_METADATA} pairs")
        for name, text in value.items():
            if not isinstance(text, str) or len(name) > 40 or len(text) > _LONGEST_METADATA:
                raise self._wrong(f"metadata[{name}]", "Must be at most 40 and 500 characters")
        return {name: text for name, text in value.items() if text}

    def limit(self) -> int:
        wanted = self.whole("limit", 10)
        if wanted is None or not 1 <= wanted <= _PAGE:
            raise self._wrong("limit", f"Must be from 1 to {_PAGE}")
        return wanted

    def done(self) -> None:
        for name in self._tree:
            path = self._path(name)
            raise invalid_request(
                f"Received unknown parameter: {path}", param=path, code="parameter_unknown"
            )

    def _path(self, name: str) -> str:
        return f"{self._inside}[{name}]" if self._inside else name

    def _wrong(self, name: str, message: str, code: str | None = None) -> Exception:
        return invalid_request(message, param=self._path(name), code=code)
