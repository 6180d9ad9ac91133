"""Properties of an event, by name: a dot goes into an object, and `["input-tokens"]` quotes a name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Invalid
from domain.reading import text

LONGEST_PATH = 10

_QUOTED = r'\["[^"]+"\]'
_NAME = r'[^."\[\]]+'
_PATH = re.compile(rf"(?:{_NAME}|{_QUOTED})(?:\.{_NAME}|{_QUOTED})*")
_EACH_NAME = re.compile(rf'\["([^"]+)"\]|({_NAME})')

IN_EXPRESSIONS = rf"(?:[A-Za-z_][A-Za-z0-9_]*|{_QUOTED})(?:\.[A-Za-z0-9_]+|{_QUOTED})*"
"""What a property looks like beside `+ - *`, where a name with other characters must be quoted."""


@dataclass(frozen=True, slots=True)
class Property:
    """The names to follow from the properties of an event."""

    path: tuple[str, ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def of(self, properties: Mapping[str, object]) -> object:
        """The property as it came; None where it is missing or null."""
        found: object = properties
        for name in self.path:
            if not isinstance(found, Mapping):
                return None
            found = found.get(name)
        return found

    def fault(self, message: str) -> Invalid:
        """What is wrong with an event that has this property wrong, or lacks it."""
        return Invalid.at(f"properties.{self.name}", message)


def read_property(value: object) -> Property:
    """`region`, `usage.total`, `input-tokens`, `["gen_ai.model"]`; at most ten names deep."""
    path = text(value)
    if _PATH.fullmatch(path) is None:
        raise Invalid.at("", 'must name a property, like region, usage.total or ["gen_ai.model"]')
    return property_at(path)


def property_at(path: str) -> Property:
    """The property of a path that is known to be well-formed."""
    names = tuple(quoted or plain for quoted, plain in _EACH_NAME.findall(path))
    if len(names) > LONGEST_PATH:
        raise Invalid.at("", f"must be at most {LONGEST_PATH} names deep")
    return Property(names)
