"""When a webhook is tried again, and when it is given up: the schedule that Standard Webhooks suggests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

# How long after an attempt the next one is made: the first attempt is made at once, so these are ten in three days.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
PATIENCE = timedelta(seconds=10)  # for one attempt, from finding the address to the answer
DISABLED_AFTER = timedelta(
    days=5
)  # without a single success, as long as there is something to send
LONGEST_ANSWER = 1024  # bytes of an answer that are kept
ROTATION = timedelta(hours=24)  # for so long a secret that was replaced still signs

DeliveryStatus = Literal["pending", "delivered", "failed"]
Disabling = Literal["gone", "failing"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, over at `at`. `status` is the HTTP status of the answer, None where there was none, which `error` then
    says; `answer` is how it begins.
    """

    at: datetime
    milliseconds: int
    status: int | None = None
    answer: str = ""
    error: str | None = None

    @property
    def has_arrived(self) -> bool:
        """A redirection is no success: nobody follows it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt makes of its delivery and of its endpoint, which it may disable."""

    status: DeliveryStatus
    next_attempt_at: datetime | None = None
    failing_since: datetime | None = None
    disabling: Disabling | None = None


def judged(before: int, attempt: Attempt, failing_since: datetime | None) -> Verdict:
    """`before` is how many attempts of this delivery there were before this one, `failing_since` when the endpoint's first
    failure after its last success was.
    """
    if attempt.has_arrived:
        return Verdict("delivered")
    since = failing_since or attempt.at
    if attempt.status == HTTPStatus.GONE:
        return Verdict("failed", failing_since=since, disabling="gone")
    too_long: Disabling | None = "failing" if attempt.at - since >= DISABLED_AFTER else None
    if before >= len(WAITS):
        return Verdict("failed", failing_since=since, disabling=too_long)
    return Verdict("pending", attempt.at + WAITS[before], since, too_long)
