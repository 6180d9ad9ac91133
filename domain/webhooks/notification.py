"""What is told: one fact of the outbox, as every attempt at every endpoint tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.reading import written


@dataclass(frozen=True, slots=True)
class Notification:
    """`id` is the receiver's means of knowing it again, `subject` the id of what it happened to, `at` when it did."""

    id: str
    topic: str
    subject: str
    at: datetime
    body: Mapping[str, object]


def told(notification: Notification, environment: str) -> Mapping[str, object]:
    """The document that is sent; `environment` is `live` or `test`."""
    return {
        "id": notification.id,
        "type": notification.topic,
        "at": written(notification.at),
        "environment": environment,
        "data": {"id": notification.subject, **notification.body},
    }
