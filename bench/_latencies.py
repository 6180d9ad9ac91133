"""How long requests take under so many connections at once, by a client that does next to nothing itself."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import perf_counter

CONNECTIONS = 32


@dataclass(slots=True)
class Latencies:
    """Seconds that requests took."""

    taken: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """By nearest rank."""
        ranked = sorted(self.taken)
        return ranked[max(-(-len(ranked) * percent // 100), 1) - 1]

    def told(self, yardstick: "Latencies") -> str:
        """The median and the 99th percentile, each as a multiple of the yardstick's."""
        of = {p: self.percentile(p) / yardstick.percentile(p) for p in (50, 99)}
        return f"p50 {of[50]:.2f}, p99 {of[99]:.2f} times"


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Connected:
    """So many open connections to one address."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> "Connected":
        opening = (asyncio.open_connection("127.0.0.1", self._port) for _ in range(CONNECTIONS))
        self._streams = list(await asyncio.gather(*opening))
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._streams:
            each[1].close()

    async def send(self, requests: Sequence[bytes], number: int, into: Latencies) -> None:
        """So many of these requests, over and over, each connection one after another."""
        waiting = iter(list(islice(cycle(requests), number)))
        await asyncio.gather(*(self._work(each, waiting, into) for each in self._streams))

    async def _work(
        self,
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        waiting: Iterator[bytes],
        into: Latencies,
    ) -> None:
        for sent in waiting:
            begun = perf_counter()
            stream[1].write(sent)
            await _answer(stream[0])
            into.taken.append(perf_counter() - begun)


async def _answer(reader: asyncio.StreamReader) -> None:
    """Read an answer. Raises RuntimeError for one that is no success."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(_after(head.split(b"\r\n"), b"content-length:"))
    body = await reader.readexactly(length)
    if not head.startswith((b"http/1.1 200", b"http/1.1 201", b"http/1.1 202")):
        raise RuntimeError(f"{head[:40]!r} {body[:300]!r}")


def _after(lines: Iterable[bytes], name: bytes) -> bytes:
    return next(line.removeprefix(name) for line in lines if line.startswith(name))
