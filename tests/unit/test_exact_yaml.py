"""YAML and JSON are read as they were written."""

from typing import Any

import pytest

from cli.exact_yaml import read_json, read_yaml
from domain.errors import Invalid
from domain.reading import InexactNumber


@pytest.mark.parametrize(("text", "expected"), [
    ("a: 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("a: 2026-01-01", "2026-01-01"),
    ("a: on", "on"),
    ("a: yes", "yes"),
    ("a: true", True),
    ("a: null", None),
    ("a: ~", None),
    ("a:", None),
    ("a: 12:30", "12:30"),
    ("a: 1_000", "1_000"),
    ("a: 0x1F", "0x1F"),
    ("a: 010", 10),
    ("a: -5", -5),
    ("a: 123456789012345678901234567890", 123456789012345678901234567890),
    ('a: "20.00"', "20.00"),
    ("a: [1, two]", [1, "two"]),
])  # fmt: skip
def test_yaml_values(text: str, expected: object) -> None:
    value: Any = read_yaml(text)
    assert value["a"] == expected
    assert type(value["a"]) is type(expected)


@pytest.mark.parametrize("number", ["20.00", "1e3", "-.5", ".inf", ".nan", "1.", "0.1E-2"])
def test_numbers_that_may_lose_digits_are_kept_as_text(number: str) -> None:
    value: Any = read_yaml(f"a: {number}")
    assert value["a"] == InexactNumber(number)
    assert isinstance(value["a"], InexactNumber)


def test_json_numbers_likewise() -> None:
    value: Any = read_json('{"a": 20.00, "b": 3, "c": NaN, "d": 1e3}')
    assert [type(member) for member in value.values()] == [
        InexactNumber,
        int,
        InexactNumber,
        InexactNumber,
    ]


def test_numbers_too_long_to_read_are_kept_as_text() -> None:
    digits = "9" * 5_000
    for value in (read_yaml(f"a: {digits}"), read_json(f'{{"a": {digits}}}')):
        assert value == {"a": InexactNumber(digits)}


@pytest.mark.parametrize(("read", "text", "message"), [
    (read_yaml, "a: 1\na: 2", "the member a is there twice"),
    (read_yaml, "{a: {b: 1, b: 2}}", "the member b is there twice"),
    (read_yaml, "a: [1", "is no YAML"),
    (read_yaml, "a: !!python/object/apply:os.system [ls]", "is no YAML"),
    (read_yaml, "a: 1\n---\nb: 2", "is no YAML"),
    (read_yaml, "[" * 5_000, "nested too deep|is no YAML"),
    (read_json, '{"a": 1, "a": 2}', "has the member a twice"),
    (read_json, '{"a": ', "is no JSON"),
    (read_json, "[" * 100_000, "nested too deep"),
])  # fmt: skip
def test_refused(read: Any, text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        read(text)


def test_anchors_and_merges() -> None:
    value = read_yaml("base: &b {x: 1}\nmore: {<<: *b, y: 2}\nlist: [*b, *b]")
    assert value == {"base": {"x": 1}, "more": {"x": 1, "y": 2}, "list": [{"x": 1}, {"x": 1}]}
