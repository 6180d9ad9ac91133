"""When the periods of a subscription start, asked and answered as JSON."""

from collections.abc import Mapping

from domain.calendar import ANNIVERSARY, Cycle, read_anchor, read_interval, require_alignment
from domain.errors import Invalid
from domain.reading import Fields, instant, integer, written
from domain.timezones import read_timezone

MOST_STARTS = 100_000


def answer_periods(line: Mapping[str, object]) -> dict[str, object]:
    """`{"start", "interval", "anchor", "timezone", "count"}` -> `{"starts": [RFC 3339 in UTC …]}`."""
    cycle, count = read_line(line)
    try:
        return {"starts": [written(start) for start in cycle.starts(count)]}
    except Invalid as invalid:
        raise Invalid(invalid.beneath("count")) from None


def read_line(line: Mapping[str, object]) -> tuple[Cycle, int]:
    fields = Fields(line)
    started_at = fields.required("start", instant)
    interval = fields.required("interval", read_interval)
    anchor = fields.optional("anchor", read_anchor, ANNIVERSARY)
    timezone = fields.optional("timezone", read_timezone, "UTC")
    count = fields.optional("count", integer(1, MOST_STARTS), 1)
    fields.done()
    require_alignment(interval, anchor)
    return Cycle(started_at, interval, anchor, timezone), count
