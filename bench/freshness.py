"""From an event to the balance that shows it: a whole Weir (API, worker with its pump, Temporal, PostgreSQL, each a process of
its own) takes a thousand events a second of a hundred customers who burn credit down, and some of them look at their wallets.

An event is known when its request is answered, and shown when an answer of `GET /v1/customers/{key}/wallets` has it in
`running`. A time on a clock is no ratio, so the same run times the plainest read of rolled-up usage through the same API,
and tells how busy the machine was. `SECONDS` in the environment is another length of the run.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from cli.client import WeirClient
from cli.keys import Mode, create_key
from cli.stack.embedded import servers
from cli.stack.weir import running_weir
from db.session import Database

SECONDS = int(os.environ.get("SECONDS", "25"))
WARM_UP_SECONDS = 10  # every subscription has been told once what it used
CUSTOMERS = 100
BATCHES_A_SECOND = 10
EVENTS_A_BATCH = 100
WATCHED = 5
LOOK_SECONDS = 0.05
AT_ONCE = 4
FIRST_TIER = 100
DATABASE = "DATABASE_URL"
TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
TIERS = [{"up_to": str(FIRST_TIER), "unit_amount": "0.02"}, {"up_to": None, "unit_amount": "0.01"}]
PLAN = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "items": [
        {
            "key": "tokens",
            "kind": "usage",
            "meter": "tokens",
            "price": {"model": "graduated", "tiers": TIERS},
        }
    ],
}


@dataclass(slots=True)
class Watched:
    """A customer whose wallet is looked at. `known` has when each of its events was, in order; `shown` how long the balance
    took to have it; `counted` is how many it has.
    """

    key: str
    known: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    counted: int = 0

    def look(self, events: int, at: float) -> None:
        for known in self.known[self.counted : events]:
            self.shown.append(max(0.0, at - known))
        self.counted = max(self.counted, min(events, len(self.known)))


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


async def _measure() -> list[str]:
    watched = [Watched(f"c{number}") for number in range(WATCHED)]
    reads: list[float] = []
    async with _stand() as weir:
        await _open(weir)
        await _run(weir, watched, reads, WARM_UP_SECONDS)
        for each in watched:
            each.shown.clear()
        reads.clear()
        begun = perf_counter()
        sent = await _run(weir, watched, reads, SECONDS)
        lasted, load = perf_counter() - begun, os.getloadavg()[0]
        await _wait(weir, watched)
    shown = [seconds for each in watched for seconds in each.shown]
    return [
        f"{sent / lasted:,.0f} events a second, in batches of {EVENTS_A_BATCH}, of {CUSTOMERS} customers:"
        f" in the balance after {_at(shown, 50):.2f} s (p50), {_at(shown, 99):.2f} s (p99) of {len(shown):,},"
        f" {_at(shown, 99) / _at(reads, 50):.0f} times one plain read of usage ({_at(reads, 50) * 1000:.0f} ms, p50);"
        f" load {load:.1f} on {os.cpu_count()} cores",
    ]


@asynccontextmanager
async def _stand() -> AsyncIterator[WeirClient]:
    with TemporaryDirectory(prefix="weir-bench-") as directory:
        place = Path(directory)
        async with servers(place, {}) as running, running_weir(running, place) as weir:
            database = Database(running.variables[DATABASE])
            key = await create_key(database, "bench", Mode.test, "bench", ["admin"])
            await database.close()
            async with WeirClient(weir.url, key) as client:
                yield client


async def _open(weir: WeirClient) -> None:
    """Customers with prepaid credit, in a period that began days ago."""
    await weir.post("meters", TOKENS)
    await weir.post("plans", PLAN)
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    gate = asyncio.Semaphore(AT_ONCE)

    async def subscribe(key: str) -> None:
        async with gate:
            await weir.post("customers", {"key": key})
            credit = {"key": f"g-{key}", "customer": key, "amount": "1000.00", "currency": "USD"}
            await weir.post("credit-grants", {**credit, "kind": "prepaid"})
            asked = {"key": f"s-{key}", "customer": key, "plan": "pro"}
            await weir.post("subscriptions", {**asked, "starts_at": began.isoformat()})

    await asyncio.gather(*(subscribe(f"c{number}") for number in range(CUSTOMERS)))


async def _run(weir: WeirClient, watched: list[Watched], reads: list[float], seconds: int) -> int:
    """Send for so long, while wallets are looked at; how many events were sent."""
    over = asyncio.Event()
    looking = [asyncio.create_task(_look(weir, each, over)) for each in watched]
    looking.append(asyncio.create_task(_read(weir, reads, over)))
    begun, sent = perf_counter(), 0
    for batch in range(seconds * BATCHES_A_SECOND):
        await asyncio.sleep(max(0.0, begun + batch / BATCHES_A_SECOND - perf_counter()))
        sent += await _send(weir, watched)
    over.set()
    await asyncio.gather(*looking)
    return sent


async def _send(weir: WeirClient, watched: list[Watched]) -> int:
    """One event of each customer."""
    now = perf_counter()
    events = [
        {
            "id": f"{now}:{number}",
            "event_name": "llm",
            "customer": f"c{number % CUSTOMERS}",
            "properties": {"tokens": "1"},
        }
        for number in range(EVENTS_A_BATCH)
    ]
    await weir.post("events", events)
    for each in watched:
        each.known.append(perf_counter())
    return len(events)


async def _look(weir: WeirClient, who: Watched, over: asyncio.Event) -> None:
    while not over.is_set():
        who.look(await _counted(weir, who), perf_counter())
        await asyncio.sleep(LOOK_SECONDS)


async def _wait(weir: WeirClient, watched: list[Watched]) -> None:
    """Until the last event is in."""
    for each in watched:
        while each.counted < len(each.known):
            each.look(await _counted(weir, each), perf_counter())


async def _counted(weir: WeirClient, who: Watched) -> int:
    """How many events what runs up is worth: the inverse of the price."""
    (wallet,) = (await weir.get(f"customers/{who.key}/wallets"))["data"]
    cents = int(Fraction(wallet["running"]) * 100)
    return cents // 2 if cents <= 2 * FIRST_TIER else cents - FIRST_TIER


async def _read(weir: WeirClient, reads: list[float], over: asyncio.Event) -> None:
    while not over.is_set():
        begun = perf_counter()
        await weir.get(f"customers/c{CUSTOMERS - 1}/usage?meter=tokens")
        reads.append(perf_counter() - begun)
        await asyncio.sleep(4 * LOOK_SECONDS)


def _at(times: list[float], percent: int) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]
