"""What is wrong with one holds up no other: it is logged, and whoever comes by again tries again."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from temporalio import activity

from domain.errors import Unavailable

T = TypeVar("T")


@contextmanager
def apart(fault: str) -> Iterator[None]:
    """`fault` says what is not done where something goes wrong within."""
    try:
        yield
    except Unavailable as error:
        activity.logger.warning("%s: %s", fault, error)
    except Exception:
        activity.logger.exception("%s", fault)


async def in_parts(
    those: Sequence[T],
    work: Callable[[Sequence[T]], Awaitable[object]],
    fault: Callable[[T], str],
) -> None:
    """All of them at once or, where that goes wrong, one by one."""
    if len(those) > 1:
        try:
            await work(those)
            return
        except Exception:
            activity.logger.warning("%d at once did not go: one by one", len(those), exc_info=True)
    for each in those:
        with apart(fault(each)):
            await work([each])
