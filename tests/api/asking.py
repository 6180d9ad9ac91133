"""A client that expects to be served, and what the tests of the acceptance cases share."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import httpx

from tests.public_cases import Case

EVENTS_AT_ONCE = 1_000


class Asking:
    """Asks, and expects an answer."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, body: object) -> Any:
        response = await self.client.post(f"/v1/{path}", json=body)
        assert response.is_success, f"{path}: {response.text}"
        return response.json()

    async def patch(self, path: str, body: object) -> Any:
        response = await self.client.patch(f"/v1/{path}", json=body)
        assert response.is_success, f"{path}: {response.text}"
        return response.json()

    async def get(self, path: str, **query: str) -> Any:
        response = await self.client.get(f"/v1/{path}", params=query)
        assert response.is_success, f"{path}: {response.text}"
        return response.json()

    async def refused(self, path: str, body: object) -> list[str]:
        """The paths of the faults in a body."""
        response = await self.client.post(f"/v1/{path}", json=body)
        assert response.status_code == 422, f"{path}: {response.text}"
        return [fault["path"] for fault in response.json()["errors"]]

    async def send(self, events: Iterable[Mapping[str, object]]) -> list[Mapping[str, Any]]:
        """Send events; what was rejected of them."""
        rest = iter(events)
        rejected: list[Mapping[str, Any]] = []
        while batch := list(islice(rest, EVENTS_AT_ONCE)):
            rejected += (await self.post("events", batch))["rejected"]
        return rejected


def paths_differ(case: Case, paths: Sequence[str], beneath: str, instead: str) -> list[str]:
    """Whether a case was refused at another path than it expects, seen from where `beneath` is `instead`."""
    expected = case["expect"].get("path")
    if expected is None:
        return []
    path = str(expected)
    if path.startswith(beneath):
        path = instead + path.removeprefix(beneath)
    return [] if path in paths else [f"{case['id']}: {paths} instead of {path}"]
