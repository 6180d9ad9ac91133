"""YAML and JSON as they were written: no number loses a digit, no time its offset, no member hides another."""

import re
from collections import Counter
from collections.abc import Hashable
from json import JSONDecodeError, loads
from typing import Any

import yaml

from domain.errors import Invalid
from domain.reading import InexactNumber, whole_number


def read_yaml(text: str) -> object:
    """Read one document. Numbers with a point or an exponent become `InexactNumber`, times stay text; raise Invalid
    for what is no YAML, or has a member twice in one object.
    """
    try:
        return yaml.load(text, _Loader)  # a safe loader: it builds plain values only
    except yaml.YAMLError as error:
        raise Invalid.at("", f"is no YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise Invalid.at("", "is nested too deep") from None


def read_json(text: str) -> object:
    """Read one document, as `read_yaml` does."""
    try:
        return loads(
            text,
            parse_float=InexactNumber,
            parse_constant=InexactNumber,
            parse_int=whole_number,
            object_pairs_hook=_once,
        )
    except JSONDecodeError as error:
        raise Invalid.at("", f"is no JSON: {error}") from None
    except RecursionError:
        raise Invalid.at("", "is nested too deep") from None


class _Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2: `on` is a word and 12:30 no number, as in JSON."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name, times in names.items():
            if times > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the member {name} is there twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise Invalid.at("", f"has the member {name} twice in one object")
        members[name] = value
    return members


def _construct_whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | InexactNumber:
    return whole_number(str(node.value))


def _construct_inexact(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> InexactNumber:
    return InexactNumber(node.value)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$", re.ASCII), _first
    )
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_inexact)
