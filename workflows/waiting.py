"""How a life waits: by Temporal's timers in real time, or for a test clock that is moved by hand."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.steps import Moment
    from domain.subscription import Phase

NEVER_MOVED = Moment(datetime.min.replace(tzinfo=UTC), Phase.ARRIVED)


class Clock:
    """The clock that a life goes by. On a test clock nothing is due until it is moved there, phase by phase, so
    that a year can pass in a second and in the order of its instants.
    """

    def __init__(self, test_clock: str | None) -> None:
        self._stands = None if test_clock is None else NEVER_MOVED

    def now(self) -> datetime:
        """The instant it shows; the beginning of time where a test clock has not been moved in this run."""
        return workflow.now() if self._stands is None else self._stands.at

    def move(self, to: Moment) -> None:
        """Move a test clock, never back. Real time moves by itself."""
        if self._stands is not None:
            self._stands = max(self._stands, to)

    def has_come(self, moment: Moment | None) -> bool:
        if moment is None:
            return False
        if self._stands is None:
            return moment.at <= workflow.now()
        return moment <= self._stands

    async def wait(
        self, until: Moment | None, or_when: Callable[[], bool], summary: str | None = None
    ) -> None:
        """Return when `until` has come or `or_when` holds. A timer is for an instant, never for a duration: one
        that fires late, or is woken early, waits for the same instant.
        """
        if or_when() or self.has_come(until):
            return
        if until is None or self._stands is not None:
            await workflow.wait_condition(lambda: or_when() or self.has_come(until))
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                or_when, timeout=until.at - workflow.now(), timeout_summary=summary
            )
