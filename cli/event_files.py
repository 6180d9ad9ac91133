"""Files of usage events, line by line: CSV with a header, or JSON Lines; and how their columns become an event's fields."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from domain.errors import Fault, Invalid
from domain.metering.incoming import IncomingEvent, read_event
from domain.reading import InexactNumber

Format = Literal["csv", "jsonl"]
Row = Mapping[str, object] | Invalid

FIELDS = ("id", "event_name", "customer", "time", "subscription")

_decoder = msgspec.json.Decoder(float_hook=InexactNumber)
_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: its event, or what is wrong with it. Lines count from 1, the header of a CSV among them.
    `read` is how many bytes of the file have been read so far, at least.
    """

    number: int
    event: IncomingEvent | None
    faults: Sequence[Fault]
    read: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where an event's fields come from. `columns` are by field (`time`) or property, `event_name` and `customer` are for
    lines that have none of their own, and the id of a line that has none is `id_prefix` and its number.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    event_name: str | None = None
    customer: str | None = None
    id_prefix: str = ""

    def event(self, number: int, row: Mapping[str, object]) -> IncomingEvent:
        """The event of a row. A column that is mapped to nothing else is a property of its own name; one that is empty is
        left out. Raises `Invalid`.
        """
        members = {self._field_of(column): value for column, value in row.items()}
        members = {name: value for name, value in members.items() if value not in (None, "")}
        fields = {name: members.pop(name) for name in FIELDS if name in members}
        nested = members.pop("properties", {})
        defaults = {
            "id": f"{self.id_prefix}{number}",
            "event_name": self.event_name,
            "customer": self.customer,
        }
        given = {name: value for name, value in defaults.items() if value is not None}
        properties = {**nested, **members} if isinstance(nested, Mapping) else nested
        timed = {"time": in_utc(fields["time"])} if "time" in fields else {}
        return read_event({**given, **fields, **timed, "properties": properties})

    def _field_of(self, column: str) -> str:
        for name, mapped in self.columns.items():
            if mapped == column:
                return name
        return column


def in_utc(time: object) -> object:
    """A time without a zone is UTC."""
    if isinstance(time, str) and _WITHOUT_ZONE.fullmatch(time):
        return f"{time}Z"
    return time


def format_of(path: Path) -> Format:
    """By the file's name: `.jsonl`, `.ndjson` and `.json` are JSON Lines, all others CSV."""
    return "jsonl" if path.suffix.lower() in (".jsonl", ".ndjson", ".json") else "csv"


def read_lines(file: BinaryIO, format: Format, mapped: Mapped, first: int = 1) -> Iterator[Line]:
    """The lines from number `first` on. Raises `Invalid` for a CSV without a column that is mapped."""
    rows = _csv_rows(file, mapped) if format == "csv" else _json_rows(file)
    for number, row in rows:
        if number < first:
            continue
        read = file.tell()
        try:
            if isinstance(row, Invalid):
                raise row
            yield Line(number, mapped.event(number, row), (), read)
        except Invalid as invalid:
            yield Line(number, None, invalid.faults, read)


def _csv_rows(file: BinaryIO, mapped: Mapped) -> Iterator[tuple[int, Row]]:
    rows = csv.reader(_text_lines(file))
    header = _header(next(rows, []), mapped)
    before = rows.line_num
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            cells, fault = [], Invalid.at("", str(error))
            yield before + 1, fault
        if cells:
            yield before + 1, _row(header, cells)
        before = rows.line_num


def _header(header: Sequence[str], mapped: Mapped) -> Sequence[str]:
    for name, column in mapped.columns.items():
        if column not in header:
            raise Invalid.at(name, f"there is no column {column}")
    twice = [column for column, times in Counter(header).items() if times > 1]
    if twice:
        raise Invalid.at("", f"there are two columns {twice[0]}")
    return header


def _row(header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(header):
        return Invalid.at("", f"has {len(cells)} columns, the header has {len(header)}")
    return dict(zip(header, cells, strict=True))


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(_text_lines(file), 1):
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: str) -> Row:
    try:
        value = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return Invalid.at("", f"is not JSON: {error}")
    return value if isinstance(value, dict) else Invalid.at("", "must be an object")


def _text_lines(file: BinaryIO) -> Iterator[str]:
    """Raises `Invalid` for what is not UTF-8."""
    encoding = "utf-8-sig"  # a mark at the beginning of a file is none of its text
    for number, line in enumerate(file, 1):
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError:
            raise Invalid.at("", f"line {number} is not UTF-8") from None
        encoding = "utf-8"
