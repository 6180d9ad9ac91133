"""Leading the test clocks of a running Weir."""

from datetime import datetime

from cli.client import WeirClient
from domain.reading import written


async def lead(weir: WeirClient, clock: str, to: datetime, due: str = "through") -> None:
    """Advance a clock until all that was due on its way has happened. To ask again is to go on waiting, and to be told
    where it cannot go on: raises `Refused` then.
    """
    asked = {"to": written(to), "due": due}
    while (await weir.post(f"test-clocks/{clock}/advance", asked))["status"] != "ready":
        pass
