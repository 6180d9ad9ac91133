"""Putting right what was found: each life is looked at once more, and then started, replaced or ended."""

from cli.repairs.entries import Books, Entry
from cli.repairs.surveying import Finding, Survey, is_paid_by
from workflows.handles import RunningLives
from workflows.overseeing import Overseer

REASON = "weir repair: the books know another state of it, or none"


class Mender:
    def __init__(
        self, books: Books, survey: Survey, overseer: Overseer, lives: RunningLives
    ) -> None:
        self.books = books
        self.survey = survey
        self.overseer = overseer
        self.lives = lives

    async def mend(self, finding: Finding) -> Finding:
        """What it was by now, and no longer is. Raises `Unavailable`."""
        now = await self.survey.judge(await self.books.again(finding.entry))
        match now.verdict:
            case "missing":
                await self._start(now.entry)
            case "wrong" | "orphan":
                await self._end(now.entry)
                if now.entry.standing == "goes_on":
                    await self._start(now.entry)
            case _:
                pass
        return now

    async def _start(self, entry: Entry) -> None:
        if entry.life is None:
            return
        if (paid_by := is_paid_by(entry)) is not None:
            await self.overseer.end(paid_by, REASON)  # its top-up begins it
        await self.overseer.start(entry.life)
        if entry.kind == "subscription":
            for arrival in await self.books.untold(entry.environment, entry.key):
                await self.lives.usage_arrived(arrival, is_over=False)

    async def _end(self, entry: Entry) -> None:
        await self.overseer.end(entry.workflow, REASON)
