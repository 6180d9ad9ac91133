"""Files of events: each line becomes an event, or is told with its number and what is wrong with it."""

import json
from io import BytesIO

import pytest

from cli.event_files import Format, Line, Mapped, format_of, read_lines
from domain.errors import Invalid
from domain.metering.incoming import IncomingEvent
from domain.reading import instant

FOR_ALL = Mapped(event_name="llm", customer="acme", id_prefix="file:")


def read(
    content: str | bytes, mapped: Mapped = FOR_ALL, format: Format = "csv", first: int = 1
) -> list[Line]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(read_lines(BytesIO(raw), format, mapped, first))


def events(
    content: str | bytes, mapped: Mapped = FOR_ALL, format: Format = "csv"
) -> list[IncomingEvent]:
    lines = read(content, mapped, format)
    assert [line.faults for line in lines if line.faults] == []
    return [line.event for line in lines if line.event is not None]


def faults(content: str | bytes, format: Format = "csv") -> list[tuple[int, str]]:
    lines = read(content, format=format)
    return [(line.number, fault.path) for line in lines for fault in line.faults]


def test_columns_are_fields_by_name_and_properties_otherwise() -> None:
    (event,) = events("id,time,tokens,model\ne1,2026-01-01T00:00:00Z,12.50,large\n")
    assert event == IncomingEvent(
        id="e1",
        event_name="llm",
        customer="acme",
        time=instant("2026-01-01T00:00:00Z"),
        properties={"tokens": "12.50", "model": "large"},
    )


def test_columns_can_be_mapped_to_fields_and_properties() -> None:
    mapped = Mapped(
        {"time": "TIMESTAMP", "customer": "Account", "tokens": "Generated Tokens"}, "llm"
    )
    content = "TIMESTAMP,Account,Generated Tokens\n2026-01-01 00:00:00,globex,7\n"
    (event,) = events(content, mapped)
    assert (event.customer, event.properties) == ("globex", {"tokens": "7"})
    assert event.time == instant("2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2023-11-16 18:15:46.6805900", "2023-11-16T18:15:46.680590Z"),
        ("2023-11-16T18:15:46", "2023-11-16T18:15:46Z"),
        ("2023-11-16T18:15:46+02:00", "2023-11-16T16:15:46Z"),
    ],
)
def test_a_time_without_a_zone_is_utc(written: str, time: str) -> None:
    (event,) = events(f"time\n{written}\n")
    assert event.time == instant(time)


def test_a_line_without_an_id_is_named_by_its_number() -> None:
    assert [event.id for event in events("tokens\n1\n\n2\n")] == ["file:2", "file:4"]
    assert [event.id for event in events("id,tokens\ne1,1\n,2\n")] == ["e1", "file:3"]


def test_an_empty_cell_is_a_property_that_is_not_there() -> None:
    (event,) = events("tokens,model\n1,\n")
    assert event.properties == {"tokens": "1"}


def test_a_quoted_cell_may_have_commas_quotes_and_line_ends() -> None:
    content = 'text,tokens\r\n"a, ""b""\nc",1\r\nplain,2\r\n'
    assert [(e.id, e.properties["text"]) for e in events(content)] == [
        ("file:2", 'a, "b"\nc'),
        ("file:4", "plain"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    (event,) = events("\ufefftokens\n1\n")
    assert event.properties == {"tokens": "1"}


def test_json_lines_are_events_as_the_api_takes_them() -> None:
    own = {"id": "e1", "event_name": "chat", "customer": "globex", "properties": {"tokens": 7}}
    flat = {"tokens": "8", "nested": {"n": 1}}
    content = "\n".join(json.dumps(line) for line in (own, {}, flat)).replace("{}", "")
    first, second = events(content, format="jsonl")
    assert first == IncomingEvent("e1", "chat", "globex", None, {"tokens": 7})
    assert (second.id, second.properties) == ("file:3", flat)


def test_a_bad_line_is_told_with_its_number_and_the_others_are_read() -> None:
    content = "time,tokens\nyesterday,1\n2026-01-01T00:00:00Z\n2026-01-01T00:00:00Z,3\n"
    assert faults(content) == [(2, "time"), (3, "")]
    assert [line.event is not None for line in read(content)] == [False, False, True]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('{"tokens": 1.5}', "properties.tokens"),
        ('{"properties": 7}', "properties"),
        ('{"id": 7}', "id"),
        ("[1]", ""),
        ("{", ""),
        ("[" * 100_000, ""),
    ],
)
def test_a_bad_json_line_is_told_with_its_number(line: str, path: str) -> None:
    assert faults(f"{{}}\n{line}\n{{}}", format="jsonl") == [(2, path)]


def test_lines_before_the_first_that_is_asked_for_are_left_out() -> None:
    assert [line.number for line in read("tokens\n1\n2\n3\n", first=3)] == [3, 4]


@pytest.mark.parametrize(
    ("content", "mapped"),
    [
        ("a,b\n1,2\n", Mapped({"time": "c"})),
        ("a,a\n1,2\n", FOR_ALL),
        (b"a\n\xff\n", FOR_ALL),
        ("", Mapped({"time": "c"})),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_whole(content: str | bytes, mapped: Mapped) -> None:
    with pytest.raises(Invalid):
        read(content, mapped)


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", "csv"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a", "csv")],
)
def test_a_format_is_known_by_the_name(
    name: str, format: Format, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert format_of(tmp_path_factory.getbasetemp() / name) == format
