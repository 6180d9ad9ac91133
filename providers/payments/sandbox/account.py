"""The one account that the sandbox keeps: what it remembers, and whom it tells of changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from providers.payments.sandbox.api_errors import no_such
from providers.payments.sandbox.forms import Params
from providers.payments.sandbox.store import Json, Store

API_VERSION = "2026-10-28.endive"

Handler = Callable[..., Json]  # (account, params, *names from the path) -> the body of the answer


@dataclass(frozen=True, slots=True)
class Account:
    """Objects are never changed in place: an event keeps its subject as it was."""

    store: Store
    deliver: Callable[[Json], None]

    def tell(self, kind: str, subject: Json) -> None:
        """Keep an event of `kind` (`payment_intent.succeeded`) about `subject`, and have it delivered."""
        event = {
            "object": "event",
            "api_version": API_VERSION,
            "type": kind,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "data": {"object": subject},
        }
        self.deliver(self.store.new("events", "evt", event))

    def change(self, kind: str, old: Json, **changes: Any) -> Json:
        return self.store.put(kind, old["id"], {**old, **changes})

    def find(self, kind: str, name: str, noun: str, param: str = "id") -> Json:
        """The object, or Stripe's 404 for it."""
        found = self.store.get(kind, name)
        if found is None:
            raise no_such(noun, name, param)
        return found

    def page(self, kind: str, url: str, params: Params, wanted: Mapping[str, str | None]) -> Json:
        """A list, newest first: of what has the `wanted` members, by `created`, after `starting_after`."""
        limit, after = params.limit(), params.text("starting_after")
        bounds = _bounds(params)
        params.done()
        found = [
            entry
            for entry in self.store.newest_first(kind)
            if all(value is None or entry[name] == value for name, value in wanted.items())
            and all(holds(entry["created"]) for holds in bounds)
        ]
        start = 0
        if after is not None:
            names = [entry["id"] for entry in found]
            if after not in names:
                raise no_such("object", after, "starting_after")
            start = names.index(after) + 1
        data = found[start : start + limit]
        more = start + limit < len(found)
        return {"object": "list", "url": url, "has_more": more, "data": data}


def _bounds(params: Params) -> list[Callable[[int], bool]]:
    created = params.within("created")
    at_least, at_most = created.whole("gte"), created.whole("lte")
    created.done()
    bounds: list[Callable[[int], bool]] = []
    if at_least is not None:
        bounds.append(lambda second: second >= at_least)
    if at_most is not None:
        bounds.append(lambda second: second <= at_most)
    return bounds
