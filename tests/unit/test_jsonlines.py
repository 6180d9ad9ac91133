from collections.abc import Mapping
from functools import partial
from io import BytesIO

import pytest

from cli.jsonlines import answer_lines, lines_as_they_come
from domain.errors import Fault, Invalid
from tests.public_cases import answered


def echo(line: Mapping[str, object]) -> dict[str, object]:
    return {"got": {name: f"{type(value).__name__} {value}" for name, value in line.items()}}


def refuse(line: Mapping[str, object]) -> dict[str, object]:
    raise Invalid([Fault(str(path), "is wrong") for path in line])


def said(*lines: bytes) -> bytes:
    out = BytesIO()
    answer_lines(echo, [lines], out)
    return out.getvalue()


@pytest.mark.parametrize(("line", "answer"), [
    pytest.param(b'{"id": "x"}\n',          b'{"id": "x", "got": {}}\n',        id="text"),
    pytest.param(b'{"id": 7}\r\n',          b'{"id": 7, "got": {}}\n',          id="a number, and a line of Windows"),
    pytest.param(b'{"id": 1.50}',           b'{"id": 1.50, "got": {}}\n',       id="a number as it was written"),
    pytest.param(b'{"id": 1e400}',          b'{"id": 1e400, "got": {}}\n',      id="a number that no float holds"),
    pytest.param(b'{"id": [1.0, {"a": 2.0}, null, true]}', b'{"id": [1.0, {"a": 2.0}, null, true], "got": {}}\n', id="anything"),
    pytest.param(b'{"id": NaN}',            b'{"id": null, "got": {}}\n',       id="what is no JSON has no echo"),
    pytest.param(b'{"id": "\\ud800\xc3\xa9"}', b'{"id": "\\ud800\\u00e9", "got": {}}\n', id="half a character"),
    pytest.param(b'{}',                     b'{"id": null, "got": {}}\n',       id="none"),
    pytest.param(b'\xef\xbb\xbf{"id": 1}',  b'{"id": 1, "got": {}}\n',          id="a byte order mark"),
])  # fmt: skip
def test_the_id_is_echoed_as_it_came(line: bytes, answer: bytes) -> None:
    assert said(line) == answer


@pytest.mark.parametrize(("line", "identity", "message"), [
    pytest.param('{"id": "a", "price": ',       None, "is not JSON: Expecting value at character 21", id="cut off"),
    pytest.param('{"id": "a"} {}',              None, "is not JSON: Extra data at character 12",      id="two objects"),
    pytest.param(" ",                           None, "is not JSON: Expecting value at character 1",  id="only blanks"),
    pytest.param("[]",                          None, "must be a JSON object",                        id="a list"),
    pytest.param("null",                        None, "must be a JSON object",                        id="null"),
    pytest.param("[" * 100_000,                 None, "is nested too deeply",                         id="nested too deeply"),
    pytest.param('{"id": "a", "b": 1, "b": 2}', "a",  "has the member b twice in one object",         id="a member twice"),
    pytest.param('{"id": "a", "b": {"c": {"d": 1, "d": 1}}}', "a", "has the member d twice in one object", id="deep within, even if equal"),
])  # fmt: skip
def test_a_line_that_cannot_be_read_is_answered_too(
    line: str, identity: object, message: str
) -> None:
    assert answered(echo, line) == [{"id": identity, "error": {"path": "", "message": message}}]


def test_a_line_that_is_no_text_is_answered_too() -> None:
    assert said(b'{"id": "\xff"}') == (
        b'{"id": null, "error": {"path": "", "message": "is not UTF-8"}}\n'
    )


@pytest.mark.parametrize(("number", "got"), [
    pytest.param("12",        "int 12",                    id="a whole number is exact"),
    pytest.param("1.0",       "InexactNumber 1.0",         id="a point is not"),
    pytest.param("1e2",       "InexactNumber 1e2",         id="nor is an exponent"),
    pytest.param("-Infinity", "InexactNumber -Infinity",   id="nor what is no number"),
    pytest.param("9" * 5_000, f"InexactNumber {'9' * 5_000}", id="nor what nobody can count"),
])  # fmt: skip
def test_numbers_are_handed_on_as_they_were_written(number: str, got: str) -> None:
    assert answered(echo, f'{{"n": {number}}}') == [{"id": None, "got": {"n": got}}]


def test_one_fault_is_the_error() -> None:
    assert answered(refuse, '{"id": 1, "a.0": null}') == [
        {"id": 1, "error": {"path": "a.0", "message": "is wrong"}}
    ]


def test_of_several_faults_the_first_is_the_error_and_all_are_listed() -> None:
    faults = [{"path": "a", "message": "is wrong"}, {"path": "b", "message": "is wrong"}]
    assert answered(refuse, '{"a": 1, "b": 2}') == [
        {"id": None, "error": {"path": "a", "message": "is wrong", "errors": faults}}
    ]


def test_empty_lines_have_no_answer_and_the_rest_go_on_in_order() -> None:
    answers = answered(echo, '{"id": 1}', "", "x", "\r", '{"id": 2}')
    assert [answer["id"] for answer in answers] == [1, None, 2]


@pytest.mark.parametrize(("pieces", "batches"), [
    pytest.param([],                          [[b""]],                      id="nothing"),
    pytest.param([b"a\nb\n"],                 [[b"a", b"b"], [b""]],        id="whole lines"),
    pytest.param([b"a\nb"],                   [[b"a"], [b"b"]],             id="a last line without an end"),
    pytest.param([b"a", b"b", b"c\nd", b"\n"], [[b"abc"], [b"d"], [b""]],    id="a line in pieces"),
    pytest.param([b"\n", b"\r\n"],            [[b""], [b"\r"], [b""]],      id="empty lines"),
])  # fmt: skip
def test_lines_come_as_soon_as_they_are_whole(
    pieces: list[bytes], batches: list[list[bytes]]
) -> None:
    assert list(lines_as_they_come(partial(next, iter(pieces), b""))) == batches


def test_each_answer_is_out_before_more_input_is_asked_for() -> None:
    class Pipe(BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed = self.getvalue().count(b"\n")

    out, answered_before = Pipe(), []
    asked = [b'{"id": 1}\n', b'{"id": 2}\n{"id": 3}\n{"id"', b": 4}\n"]

    def read_some() -> bytes:
        answered_before.append(out.flushed)
        return asked.pop(0) if asked else b""

    answer_lines(echo, lines_as_they_come(read_some), out)
    assert answered_before == [0, 1, 3, 4]
