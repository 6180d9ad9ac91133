"""Lists in pages: `?limit=&after=` in, `{"data": […], "next": cursor or null}` out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from domain.errors import Invalid
from domain.reading import instant, written

T = TypeVar("T")

USUAL_PAGE = 50
LARGEST_PAGE = 500
LONGEST_CURSOR = 300


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many to give at most, and after which one (empty for the first page)."""

    limit: int
    after: str

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than asked shows whether there is a next page."""
        return self.limit + 1

    @property
    def after_number(self) -> int:
        """The cursor of a list that is in the order of its numbers; 0 for the first page. Raises `Invalid`."""
        if self.after and not (
            self.after.isascii() and self.after.isdigit() and len(self.after) < 19
        ):
            raise Invalid.at("after", "is no cursor of this list")
        return int(self.after or "0")

    def page(
        self, rows: Sequence[T], write: Callable[[T], object], cursor: Callable[[T], str]
    ) -> dict[str, object]:
        """The page of `fetch` rows read after `after`."""
        given = rows[: self.limit]
        more = len(rows) > self.limit
        return {"data": [write(row) for row in given], "next": cursor(given[-1]) if more else None}


def cursor_of(place: tuple[datetime, int]) -> str:
    """The cursor of a list that is in the order of times, then of numbers."""
    return f"{written(place[0])}_{place[1]}"


def place_of(cursor: str) -> tuple[datetime, int]:
    """Raises `Invalid`."""
    time, _, seq = cursor.rpartition("_")
    try:
        if not (seq.isascii() and seq.isdigit() and len(seq) < 19):
            raise Invalid.at("", "is no place")
        return instant(time), int(seq)
    except Invalid:
        raise Invalid.at("after", "is no cursor of this list") from None


def _page(
    limit: Annotated[
        int, Query(ge=1, le=LARGEST_PAGE, description="How many to give at most.", examples=[50])
    ] = USUAL_PAGE,
    after: Annotated[
        str, Query(max_length=LONGEST_CURSOR, description="The `next` of the page before.")
    ] = "",
) -> PageRequest:
    if "\x00" in after:
        raise Invalid.at("after", "is no cursor")
    return PageRequest(limit, after)


Page = Annotated[PageRequest, Depends(_page)]
