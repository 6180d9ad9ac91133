"""Looking at every life: what the books say, held against what Temporal does."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from cli.repairs.entries import KINDS, LATE, PAGE, Books, Entry
from domain.repairing import Kind, Seen, Verdict, judge, same
from workflows.overseeing import Overseer, Running

AT_ONCE = 16
LOOKS = 4  # at a life whose state differs: a step under way makes no difference for long
BETWEEN_LOOKS_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Finding:
    entry: Entry
    verdict: Verdict


class Survey:
    """`has_workers`: without one, no life can say how it stands."""

    def __init__(self, books: Books, overseer: Overseer, *, has_workers: bool) -> None:
        self.books = books
        self.overseer = overseer
        self.has_workers = has_workers
        self._places = asyncio.Semaphore(AT_ONCE)

    async def findings(self, environments: Sequence[str]) -> AsyncIterator[Finding]:
        """One of every life that is to go on, then of those that run and are not to."""
        expected: set[str] = set()
        for kind in KINDS:
            for environment in environments:
                async for page in self.books.going_on(environment, kind):
                    for finding in await self._judge_all(page):
                        expected |= _workflows(finding.entry)
                        yield finding
        async for finding in self._unexpected(environments, expected):
            yield finding

    async def judge(self, entry: Entry) -> Finding:
        """A difference is looked at again, in the books and in the workflow, until it is none or has stood still."""
        for _ in range(LOOKS):
            before = await self.overseer.look(entry.workflow)
            if before is None:
                done = entry.kind == LATE and await self.overseer.has_run(entry.workflow)
                return Finding(entry, judge("over" if done else entry.standing, Seen(runs=False)))
            seen = await self._seen(entry, before)
            if (verdict := judge(entry.standing, seen)) != "wrong":
                return Finding(entry, verdict)
            now, after = (
                await self.books.again(entry),
                await self.overseer.look(entry.workflow),
            )
            is_still = now == entry and after == before
            if is_still and (not before.busy or entry.kind == "test clock"):
                return Finding(entry, "wrong")
            entry = now
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
        return Finding(entry, "moving")

    async def _seen(self, entry: Entry, running: Running) -> Seen:
        return Seen(runs=True, agrees=await self._agrees(entry), calls=running.calls)

    async def _agrees(self, entry: Entry) -> bool | None:
        """Whether its state is that of the books, where it has one."""
        match entry.kind:
            case "subscription" | "collection":
                return await self._knows(entry.workflow, entry.life)
            case "top-up" if entry.collection is not None:
                paid_by = f"collect:{entry.collection.invoice}"
                if await self.overseer.look(paid_by) is None:
                    return True
                return await self._knows(paid_by, entry.collection)
            case "test clock":
                return entry.standing == "goes_on"
            case _:
                return True

    async def _knows(self, workflow: str, state: object) -> bool | None:
        if state is None or not self.has_workers:
            return None
        running = await self.overseer.state(workflow, type(state))
        return None if running is None else same(state, running)

    async def _judge_all(self, entries: Iterable[Entry]) -> list[Finding]:
        async def judged(entry: Entry) -> Finding:
            async with self._places:
                return await self.judge(entry)

        return list(await asyncio.gather(*map(judged, entries)))

    async def _unexpected(
        self, environments: Sequence[str], expected: set[str]
    ) -> AsyncIterator[Finding]:
        """What runs although the books do not say so: it may be about to end, or nobody's."""
        kinds = {workflow: kind for kind, (workflow, _) in KINDS.items()}
        waiting: list[Entry] = []
        async for workflow, id in self.overseer.running(list(kinds)):
            if id not in expected:
                kind = kinds[workflow]
                waiting.append(Entry(kind, id.removeprefix(KINDS[kind][1])))
            if len(waiting) >= PAGE:
                for finding in await self._judge_all(await self._known(environments, waiting)):
                    yield finding
                waiting = []
        for finding in await self._judge_all(await self._known(environments, waiting)):
            yield finding

    async def _known(self, environments: Sequence[str], entries: Sequence[Entry]) -> list[Entry]:
        """These, as the books that know them have them."""
        found: dict[tuple[Kind, str], Entry] = {(each.kind, each.key): each for each in entries}
        for environment in environments:
            for kind in dict.fromkeys(each.kind for each in entries):
                keys = [each.key for each in entries if each.kind == kind]
                known = await self.books.known(environment, kind, keys)
                found |= {(kind, key): entry for key, entry in known.items()}
        return list(found.values())


def is_paid_by(entry: Entry) -> str | None:
    """The workflow that collects what a top-up costs."""
    return None if entry.collection is None else f"collect:{entry.collection.invoice}"


def _workflows(entry: Entry) -> set[str]:
    paid_by = is_paid_by(entry)
    return {entry.workflow} if paid_by is None else {entry.workflow, paid_by}
