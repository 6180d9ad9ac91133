"""The whole of a repair: what was found of how many lives, and what was done about it."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import worker
from cli.repairs.entries import KINDS, LATE, Books, Entry
from cli.repairs.mending import Mender
from cli.repairs.surveying import AT_ONCE, Finding, Survey
from db.lives import log_is_ahead, unsent_requests
from db.session import Database
from domain.errors import BillingError
from domain.repairing import TO_MEND, Kind, Verdict
from workflows.handles import RunningLives
from workflows.overseeing import Overseer

MOST_LINES = 40
MEANS: dict[Verdict, str] = {
    "missing": "no workflow leads it",
    "wrong": "its workflow knows another state than the books",
    "orphan": "no books know it",
    "waits": "a step gave up: an operator's `retry`",
    "silent": "its workflow does not say how it stands",
    "moving": "a step is under way",
}
DONE: dict[Verdict, str] = {"missing": "started", "wrong": "replaced", "orphan": "ended"}


@dataclass(slots=True)
class Report:
    """`found` are all but those that are well. `unsent` requests are the relay's to send."""

    well: Counter[Kind] = field(default_factory=Counter)
    found: list[Finding] = field(default_factory=list)
    done: Counter[Verdict] | None = None
    unsent: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.failures) or any(each.verdict == "silent" for each in self.found)

    def to_mend(self) -> list[Finding]:
        """What is nobody's first; then what others wait for."""
        order = {kind: number for number, kind in enumerate((*KINDS, "errand"))}
        mended = [each for each in self.found if each.verdict in TO_MEND]
        return sorted(
            mended, key=lambda each: (each.verdict != "orphan", order.get(each.entry.kind, 0))
        )

    def lines(self, everything: bool = False) -> Iterator[str]:
        counts = Counter((each.entry.kind, each.verdict) for each in self.found)
        for kind in (*KINDS, "errand"):
            of_kind = [f"{counts[kind, v]} {v}" for v in MEANS if counts[kind, v]]
            if self.well[kind] or of_kind:
                yield f"{kind + 's':<16}{', '.join([f'{self.well[kind]} well', *of_kind])}"
        yield from self._details(everything)
        if self.unsent:
            yield f"{self.unsent} requests wait for the relay, which every worker keeps going"
        yield from self.failures
        yield self._end()

    def _details(self, everything: bool) -> Iterator[str]:
        shown = self.found if everything else self.found[:MOST_LINES]
        for each in shown:
            entry = each.entry
            yield (
                f"{each.verdict:<9}{entry.kind} {entry.workflow} {entry.environment}".rstrip()
                + f": {MEANS[each.verdict]}"
            )
        if len(shown) < len(self.found):
            yield f"… and {len(self.found) - len(shown)} more (--all)"

    def _end(self) -> str:
        if not self.to_mend():
            return "nothing is to be repaired"
        if self.done is None:
            return "nothing has been changed: `weir repair --apply` does it"
        return ", ".join(f"{self.done[verdict]} {word}" for verdict, word in DONE.items())


class Repair:
    def __init__(
        self,
        database: Database,
        lives: RunningLives,
        environments: Sequence[str],
        errands: Sequence[str] = worker.ERRANDS,
    ) -> None:
        self.database = database
        self.lives = lives
        self.environments = environments
        self.errands = errands
        self.books = Books(database)
        self.overseer = Overseer(lives.client, lives.task_queue)

    async def look(self) -> Report:
        """What there is to do; changes nothing. Raises `Unavailable`."""
        report = Report()
        for environment in self.environments:
            async with self.database.transaction(environment) as connection:
                report.unsent += await unsent_requests(connection)
                if await log_is_ahead(connection, environment):
                    report.failures.append(_ahead(environment))
        survey = await self._survey()
        if not survey.has_workers:
            report.failures.append("no worker is there: what runs cannot say how it stands")
        async for finding in survey.findings(self.environments):
            if finding.verdict == "well":
                report.well[finding.entry.kind] += 1
            else:
                report.found.append(Finding(_slim(finding.entry), finding.verdict))
        for finding in await self._errands():
            if finding.verdict == "well":
                report.well["errand"] += 1
            else:
                report.found.append(finding)
        return report

    async def apply(self, report: Report) -> None:
        """Put right what was found, and has not come right by itself."""
        report.done = Counter()
        survey = await self._survey()
        mender = Mender(self.books, survey, self.overseer, self.lives)
        places = asyncio.Semaphore(AT_ONCE)

        async def mend(finding: Finding) -> None:
            async with places:
                try:
                    mended = await mender.mend(finding)
                except BillingError as error:
                    report.failures.append(f"{finding.entry.workflow}: {error}")
                else:
                    done[mended.verdict] += 1

        done = report.done
        waiting = report.to_mend()
        for turn in dict.fromkeys((each.verdict == "orphan", each.entry.kind) for each in waiting):
            if turn[1] == "errand":
                await worker.begin_errands(self.lives.client, self.lives.task_queue)
                done["missing"] += sum(each.entry.kind == "errand" for each in waiting)
                continue
            together = [
                each for each in waiting if (each.verdict == "orphan", each.entry.kind) == turn
            ]
            await asyncio.gather(*map(mend, together))

    async def _survey(self) -> Survey:
        there = await self.overseer.has_workers()
        return Survey(self.books, self.overseer, has_workers=there)

    async def _errands(self) -> list[Finding]:
        """What runs for ever, for all environments."""
        found = []
        for name in self.errands:
            running = await self.overseer.look(name)
            verdict: Verdict = "missing" if running is None else "well"
            found.append(Finding(Entry("errand", name), verdict))
        return found


def _slim(entry: Entry) -> Entry:
    """There may be many: what it is started from is read again then."""
    return entry if entry.kind == LATE else replace(entry, life=None, collection=None)


def _ahead(environment: str) -> str:
    return (
        f"the usage log of {environment} is ahead of its server, whose transactions began anew: restore the whole"
        " server (a base backup, a snapshot), not a dump of its tables"
    )
