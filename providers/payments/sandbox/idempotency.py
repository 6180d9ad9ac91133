"""Idempotency keys, as Stripe's API v1 treats them.

The first answer under a key is kept, a server error too, once the endpoint began to work; a refused parameter, a
rate limit or a collision keeps nothing. Keys are forgotten when they are a day old.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.payments.sandbox.api_errors import (
    invalid_request,
    key_in_use,
    key_of_another_request,
)
from providers.payments.sandbox.store import Store

LONGEST_KEY = 255
KEPT_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the body of a POST, the query of a GET. Only a POST has a key."""

    method: str
    path: str
    body: str
    key: str | None

    @property
    def fingerprint(self) -> str:
        """The same parameters in another order are the same request."""
        ordered = "&".join(sorted(self.body.split("&")))
        return hashlib.sha256(f"{self.path}?{ordered}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, a JSON body, headers beside the usual ones."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Keys:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_progress: set[str] = set()

    def begin(self, call: Call) -> Answer | None:
        """The kept answer; or None, and the key is in use until `end`. Raises Stripe's errors for a key of
        another request and for one that is in use.
        """
        if call.key is None:
            return None
        if len(call.key) > LONGEST_KEY:
            raise invalid_request(f"Idempotency keys may have {LONGEST_KEY} characters at most.")
        if call.key in self._in_progress:
            raise key_in_use()
        kept = self._store.get("keys", call.key)
        if kept is not None and kept["created"] + KEPT_SECONDS > self._store.clock():
            if kept["request"] != call.fingerprint:
                raise key_of_another_request()
            headers = {**kept["headers"], "Idempotent-Replayed": "true"}
            return Answer(kept["status"], kept["body"], headers)
        self._in_progress.add(call.key)
        return None

    def keep(self, call: Call, answer: Answer) -> None:
        if call.key is None:
            return
        kept = {
            "request": call.fingerprint,
            "status": answer.status,
            "body": answer.body,
            "headers": dict(answer.headers),
            "created": self._store.clock(),
        }
        self._store.put("keys", call.key, kept)

    def end(self, call: Call) -> None:
        if call.key is not None:
            self._in_progress.discard(call.key)

    def prune(self) -> int:
        """Forget every kept answer, as if a day had passed; return how many there were."""
        names = self._store.names("keys")
        for name in names:
            self._store.remove("keys", name)
        return len(names)
