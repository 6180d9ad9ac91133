"""What the books say of lives: each entry is one life, under the workflow that is to lead it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from activities.steps import AdvanceClock, Arrival, GrantLife, Pay, SendRefund, TopUp
from db.clocks import find_clock
from db.lives import KnownLife, known_lives, lives_that_go_on
from db.session import Database
from db.usage_arrivals import Arrived, lives_that_are_over, logged, undecided_arrivals
from domain.codec import from_plain
from domain.dunning import Collection
from domain.repairing import Kind, Standing
from domain.subscription import Subscription
from workflows.starting import Living

PAGE = 200
LATE: Literal["late usage"] = "late usage"
# In the order in which they are started: what others wait for first.
KINDS: Mapping[Kind, tuple[str, str]] = {  # the type of the workflow, and what its id begins with
    "subscription": ("SubscriptionWorkflow", ""),
    "collection": ("CollectionWorkflow", "collect:"),
    "top-up": ("TopUpWorkflow", "topup:"),
    "credit grant": ("GrantWorkflow", "grant:"),
    "refund": ("RefundWorkflow", ""),
    "payment": ("PayWorkflow", "pay:"),
    LATE: ("LateUsageWorkflow", "late:"),
    "test clock": ("TestClockWorkflow", ""),
}
_TYPES: Mapping[Kind, type[Any]] = {
    "subscription": Subscription,
    "collection": Collection,
    "credit grant": GrantLife,
    "refund": SendRefund,
    "payment": Pay,
    "test clock": AdvanceClock,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`life` is what it is started from. A top-up is paid by the `collection` of its invoice, once there is one. The
    environment of a life that no books know is unknown too.
    """

    kind: Kind
    key: str
    environment: str = ""
    standing: Standing = "unknown"
    life: Living | None = None
    collection: Collection | None = None

    @property
    def workflow(self) -> str:
        """An errand is called what its workflow is."""
        return self.key if self.kind == "errand" else KINDS[self.kind][1] + self.key


class Books:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def going_on(self, environment: str, kind: Kind) -> AsyncIterator[Sequence[Entry]]:
        """Page by page."""
        pages = self._late(environment) if kind == LATE else self._pages(environment, kind)
        async for page in pages:
            yield page

    async def known(self, environment: str, kind: Kind, keys: Sequence[str]) -> Mapping[str, Entry]:
        """Those of these that an environment knows, by their keys."""
        if kind == LATE:
            return await self._known_usage(environment, keys)
        async with self.database.transaction(environment) as connection:
            known = await known_lives(connection, kind, keys)
        return {key: _entry(environment, kind, life) for key, life in known.items()}

    async def again(self, entry: Entry) -> Entry:
        """As the books have it by now."""
        if entry.kind == LATE or entry.standing == "unknown":
            return entry
        known = await self.known(entry.environment, entry.kind, [entry.key])
        return known.get(entry.key, Entry(entry.kind, entry.key, entry.environment))

    async def untold(self, environment: str, subscription: str) -> Sequence[Arrival]:
        """Usage that a living subscription may have been told of and not yet charged."""
        async with self.database.transaction(environment) as connection:
            found = await undecided_arrivals(connection, [subscription])
            return [
                await _arrival(connection, environment, each) for each in found if not each.is_over
            ]

    async def _pages(self, environment: str, kind: Kind) -> AsyncIterator[Sequence[Entry]]:
        after = ""
        while True:
            async with self.database.transaction(environment) as connection:
                page = await lives_that_go_on(connection, kind, PAGE, after)
            if not page:
                return
            yield [_entry(environment, kind, each) for each in page]
            after = page[-1].key

    async def _late(self, environment: str) -> AsyncIterator[Sequence[Entry]]:
        after = ""
        while True:
            async with self.database.transaction(environment) as connection:
                over = await lives_that_are_over(connection, PAGE, after)
                found = await undecided_arrivals(connection, over) if over else []
                lives = [await _arrival(connection, environment, each) for each in found]
            if not over:
                return
            yield [_late_entry(environment, life) for life in lives]
            after = over[-1]

    async def _known_usage(self, environment: str, keys: Sequence[str]) -> Mapping[str, Entry]:
        transactions = {key: int(key.rpartition(":")[2]) for key in keys}
        async with self.database.transaction(environment) as connection:
            there = await logged(connection, environment, list(transactions.values()))
            subscriptions = [key.rpartition(":")[0] for key in keys]
            known = await known_lives(connection, "subscription", subscriptions)
        return {
            key: Entry(LATE, key, environment, "over")
            for key, transaction in transactions.items()
            if transaction in there and key.rpartition(":")[0] in known
        }


def _entry(environment: str, kind: Kind, known: KnownLife) -> Entry:
    if not known.goes_on and kind not in ("subscription", "collection"):
        return Entry(kind, known.key, environment, "over")
    standing: Standing = "goes_on" if known.goes_on else "over"
    if kind != "top-up":
        life = from_plain(_TYPES[kind], known.body)
        return Entry(kind, known.key, environment, standing, life)
    bought, collection = known.body["asked"], known.body["collection"]
    paid_by = None if collection is None else from_plain(Collection, collection)
    asked = from_plain(TopUp, bought)
    return Entry(kind, known.key, environment, standing, asked, paid_by)


def _late_entry(environment: str, life: Arrival) -> Entry:
    key = f"{life.subscription}:{life.transaction}"
    return Entry(LATE, key, environment, "goes_on", life)


async def _arrival(connection: Any, environment: str, arrived: Arrived) -> Arrival:
    """Usage is charged at what a test clock shows."""
    known = await known_lives(connection, "subscription", [arrived.subscription])
    clock = known[arrived.subscription].body.get("test_clock")
    at = None if clock is None else (await find_clock(connection, clock)).now
    return Arrival(environment, arrived.subscription, arrived.transaction, arrived.event, at, clock)
