"""Which topics an endpoint is told of: `invoice.issued` is one, `invoice.*` all that begin so, `*` every one."""

import re
from collections.abc import Iterable

from domain import reading
from domain.errors import Invalid

EVERYTHING = ("*",)
PING = "ping"  # it is sent to who asked for it, whatever topics that endpoint has
DISABLED = "webhook_endpoint.disabled"
MOST_TOPICS = 100

_PATTERN = re.compile(r"\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?", re.ASCII)


def read_topics(value: object) -> tuple[str, ...]:
    """At least one pattern, each once. A topic that nobody announces yet is no fault: it may come."""
    topics = reading.list_of(_pattern, MOST_TOPICS)(value)
    if not topics:
        raise Invalid.at("", "must name at least one topic; `*` is all of them")
    return tuple(dict.fromkeys(topics))


def wants(patterns: Iterable[str], topic: str) -> bool:
    """Whether one of an endpoint's patterns has this topic among those it stands for."""
    return any(_stands_for(pattern, topic) for pattern in patterns)


def _stands_for(pattern: str, topic: str) -> bool:
    if pattern.endswith("*"):
        return topic.startswith(pattern[:-1])
    return pattern == topic


def _pattern(value: object) -> str:
    pattern = reading.text(value)
    if len(pattern) > reading.LONGEST_KEY or _PATTERN.fullmatch(pattern) is None:
        raise Invalid.at("", "must be a topic like invoice.issued, or invoice.*, or *")
    return pattern
