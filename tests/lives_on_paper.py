"""Lives on paper: who was told what, for tests of the steps that reach lives."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from activities.lives import Lives
from activities.steps import Arrival, CustomerActed, GrantLife, Moment, Pay, TopUp
from domain.commands import Request
from domain.dunning import Collection
from domain.subscription import Subscription


class LivesOnPaper(Lives):
    """Keeps what each call was told as `(call, of whom)`. `failing` are errors that calls raise, one each, first to
    last; `on_advance` is what a life does when its clock is moved, `on_request` when it is asked for something.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.failing: list[Exception] = []
        self.on_advance: Callable[[str, Moment], Awaitable[None]] | None = None
        self.on_request: Callable[[Request], Awaitable[object]] | None = None

    def _note(self, call: str, whom: object) -> None:
        self.told.append((call, whom))
        if self.failing:
            raise self.failing.pop(0)

    async def subscribe(self, subscription: Subscription, at: datetime | None) -> None:
        self._note("subscribe", (subscription.id, at))

    async def request(self, subscription: str, request: Request) -> object:
        self._note("request", request.id)
        return {} if self.on_request is None else await self.on_request(request)

    async def top_up(self, asked: TopUp) -> object:
        self._note("top_up", asked.request)
        return None

    async def pay(self, asked: Pay) -> object:
        self._note("pay", asked.request)
        return None

    async def usage_arrived(self, arrival: Arrival, is_over: bool) -> str:
        self._note("late" if is_over else "usage", arrival)
        return f"late:{arrival.subscription}" if is_over else arrival.subscription

    async def watch_grant(self, grant: GrantLife) -> None:
        self._note("watch_grant", grant.grant)

    async def advance(self, workflow: str, to: Moment) -> None:
        self._note("advance", (workflow, to))
        if self.on_advance is not None:
            await self.on_advance(workflow, to)

    async def customer_acted(self, collection: Collection, act: CustomerActed) -> Collection:
        self._note("customer_acted", collection.invoice)
        return collection

    async def changed(self, collection: Collection) -> None:
        self._note("changed", collection.invoice)
