"""The REST API of a running Weir, as our own commands call it."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from domain.errors import Rejected, Unavailable

TIMEOUT_SECONDS = 120
PAGE = 100


class Refused(Rejected):
    """The API's problem document: its status, title and detail."""

    code = "refused"

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.problem = problem
        faults = "; ".join(
            f"{fault['path']}: {fault['message']}" for fault in problem.get("errors", ())
        )
        said = problem.get("detail") or problem.get("title") or "refused"
        super().__init__(f"{said} ({faults})" if faults else str(said))


class WeirClient:
    """`async with WeirClient(url, key) as weir: await weir.post("customers", {...})`. Paths are below `/v1`.
    Raises `Refused` with the problem document, `Unavailable` where nobody answers. `transport` is another way to the
    API than the network.
    """

    def __init__(
        self, url: str, key: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=f"{url}/v1/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str | int) -> Any:
        return await self._call("GET", path, params=query)

    async def get_slowly(self, path: str) -> Any:
        """What takes as long as it takes, once Weir is reached."""
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=None)
        return await self._call("GET", path, timeout=timeout)

    async def post(self, path: str, body: object, idempotency_key: str | None = None) -> Any:
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return await self._call("POST", path, json=body, headers=headers)

    async def patch(self, path: str, body: object) -> Any:
        return await self._call("PATCH", path, json=body)

    async def every(self, path: str, **query: str | int) -> list[Any]:
        """A list's entries, over all its pages."""
        entries: list[Any] = []
        after: dict[str, str] = {}
        while True:
            page = await self.get(path, limit=PAGE, **query, **after)
            entries.extend(page["data"])
            if page["next"] is None:
                return entries
            after = {"after": page["next"]}

    async def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = await self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unavailable(
                f"Weir at {self.url} does not answer: {str(error) or type(error).__name__}"
            ) from error
        if answer.is_error:
            raise Refused(_problem(answer))
        return answer.json() if answer.content else None


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem: dict[str, Any] = answer.json()
    except ValueError:
        problem = {"title": answer.reason_phrase, "detail": answer.text[:200]}
    return {"status": answer.status_code, **problem}
