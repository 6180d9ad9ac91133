"""Faults to order: each meets the next calls that it fits, once or as often as it says, and is used up."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Moment = Literal["before", "after"]  # the call is carried out


class _Fault(BaseModel):
    """`method` and the beginning of the path say which calls it meets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET", "POST"] = "POST"
    path: str = Field(default="/v1/", pattern=r"^/v1/")
    times: int = Field(default=1, ge=1, le=100_000)


class Refuse(_Fault):
    """Answer with this status and do nothing: a wrong key, too many requests, an outage."""

    fault: Literal["refuse"]
    status: Literal[401, 403, 429, 500, 502, 503]


class SaveError(_Fault):
    """Answer 500 and keep that under the idempotency key, with the work done or not."""

    fault: Literal["save_error"]
    committed: bool = False


class DropResponse(_Fault):
    """Close the connection instead of answering, with the work done or not."""

    fault: Literal["drop_response"]
    committed: bool = True


class Delay(_Fault):
    fault: Literal["delay"]
    milliseconds: int = Field(ge=0, le=600_000)
    when: Moment = "after"


class Hold(_Fault):
    """Keep the caller waiting until the faults are cleared."""

    fault: Literal["hold"]
    when: Moment = "after"


Fault = Annotated[Refuse | SaveError | DropResponse | Delay | Hold, Field(discriminator="fault")]


@dataclass(slots=True)
class _Ordered:
    fault: Fault
    left: int


@dataclass(slots=True)
class Faults:
    """The faults on order, first come first served, and the calls that are held."""

    ordered: list[_Ordered] = field(default_factory=list)
    held: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self, fault: Fault) -> None:
        self.ordered.append(_Ordered(fault, fault.times))

    def next_for(self, method: str, path: str) -> Fault | None:
        """The fault that this call meets; uses it up by one."""
        for entry in self.ordered:
            if entry.fault.method == method and path.startswith(entry.fault.path):
                entry.left -= 1
                if entry.left == 0:
                    self.ordered.remove(entry)
                return entry.fault
        return None

    def clear(self) -> None:
        """Forget every fault on order, and let the held calls go on."""
        self.ordered.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def wait(self, fault: Fault | None, moment: Moment) -> None:
        match fault:
            case Delay() if fault.when == moment:
                await asyncio.sleep(fault.milliseconds / 1000)
            case Hold() if fault.when == moment:
                released = self._released
                self.held += 1
                try:
                    await released.wait()
                finally:
                    self.held -= 1
            case _:
                return
