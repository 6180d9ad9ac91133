"""The lives that go on as workflows, as steps reach them. Steps know of no workflow: the worker gives them a way."""

from datetime import datetime
from typing import Protocol

from activities.steps import Arrival, CustomerActed, GrantLife, Moment, Pay, TopUp
from domain.commands import Request
from domain.dunning import Collection
from domain.subscription import Subscription


class Lives(Protocol):
    """Every call raises `Unavailable` where Temporal does not answer, and `NotFound` where a life is over."""

    async def subscribe(self, subscription: Subscription, at: datetime | None) -> None:
        """Let a subscription that was written down begin. `at` is what its test clock shows."""

    async def request(self, subscription: str, request: Request) -> object:
        """Ask a subscription for something. Raises what a rule said no with."""

    async def top_up(self, asked: TopUp) -> object: ...

    async def pay(self, asked: Pay) -> object: ...

    async def usage_arrived(self, arrival: Arrival, is_over: bool) -> str:
        """Tell a subscription, or where that is over a life of its own, of usage to charge; the workflow told."""

    async def watch_grant(self, grant: GrantLife) -> None: ...

    async def advance(self, workflow: str, to: Moment) -> None:
        """Let a life on a test clock do what is due by a moment. Raises `Conflict` where it has given up."""

    async def customer_acted(self, collection: Collection, act: CustomerActed) -> Collection:
        """Have an invoice attempted at once, and tell what became of it."""

    async def changed(self, collection: Collection) -> None:
        """Tell a collection that something changed at the provider, or in the books."""
