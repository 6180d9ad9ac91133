"""How a scenario's expectations are compared with what it brought."""

import pytest

from domain.reading import InexactNumber
from domain.scenarios.expectations import differences


@pytest.mark.parametrize(("expected", "got"), [
    ({}, {"a": 1}),
    ({"a": "1.50"}, {"a": "1.5", "b": 2}),
    ({"a": 1}, {"a": "1.00"}),
    ({"a": InexactNumber("1.50")}, {"a": "1.5"}),
    ({"a": "2026-01-01T00:00:00Z"}, {"a": "2025-12-31T19:00:00-05:00"}),
    ({"a": [{"b": "1"}]}, {"a": [{"b": "1.0", "c": "x"}]}),
    ({"a": None}, {"a": None}),
    ({"a": True}, {"a": True}),
    ({"a": "word"}, {"a": "word"}),
    ([], []),
])  # fmt: skip
def test_the_same(expected: object, got: object) -> None:
    assert list(differences(expected, got)) == []


@pytest.mark.parametrize(("expected", "got", "told"), [
    ({"a": "1.50"}, {"a": "1.49"}, ["a: expected '1.50', got '1.49'"]),
    ({"a": 1}, {}, ["a: expected 1, but it is not there"]),
    ({"a": None}, {"a": "0"}, ["a: expected None, got '0'"]),
    ({"a": "0"}, {"a": None}, ["a: expected '0', got None"]),
    ({"a": True}, {"a": "true"}, ["a: expected True, got 'true'"]),
    ({"a": 1}, {"a": True}, ["a: expected 1, got True"]),
    ({"a": "2026-01-01T00:00:00Z"}, {"a": "2026-01-01T00:00:00-05:00"}, ["a: expected '2026-01-01T00:00:00Z', got '2026-01-01T00:00:00-05:00'"]),
    ({"a": [1]}, {"a": [1, 2]}, ["a: expected 1 entries, got 2", "a.1: not expected, got 2"]),
    ({"a": [1, 2]}, {"a": [1]}, ["a: expected 2 entries, got 1"]),
    ({"a": [1, 2]}, {"a": [2, 1]}, ["a.0: expected 1, got 2", "a.1: expected 2, got 1"]),
    ({"a": []}, {"a": {}}, ["a: expected [], got {}"]),
    ({"a": [{"b": [{"c": "x"}]}]}, {"a": [{"b": [{"c": "y"}]}]}, ["a.0.b.0.c: expected 'x', got 'y'"]),
    ([], {}, ["the document: expected [], got {}"]),
])  # fmt: skip
def test_differences(expected: object, got: object, told: list[str]) -> None:
    assert list(differences(expected, got)) == told
