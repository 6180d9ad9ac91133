"""A usage event: that something measurable happened, at an instant, on a customer's account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """`properties` are as they came in JSON, numbers exact. `arrival` orders events of the same time: any numbers
    that rise with the order in which events were accepted.
    """

    id: str
    event_name: str
    customer: str
    time: datetime
    properties: Mapping[str, object]
    subscription: str | None = None
    arrival: int = 0
