"""Responses held against the OpenAPI document: what we say of ourselves must be true."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI

from api.app import app_over


async def check(response: httpx.Response) -> None:
    """Raise AssertionError where a response is not as its operation says."""
    said = _operation(response.request.method.lower(), response.request.url.path)
    if said is None or response.status_code == 401:
        return
    await response.aread()
    status = str(response.status_code)
    assert status in said["responses"], (
        f"{response.request.url} may not answer {status}: {response.text}"
    )
    schemas = said["responses"][status].get("content", {})
    kind = response.headers.get("content-type", "").partition(";")[0]
    assert kind in schemas, f"{response.request.url} may not answer {status} as {kind}"
    schema = schemas[kind]["schema"]
    value = response.text if kind == "application/x-ndjson" else response.json()
    error = next(iter(_validator(json.dumps(schema)).iter_errors(value)), None)
    assert error is None, f"{response.request.url}: {error}"


@cache
def application() -> FastAPI:
    """The API, built once for all tests of a process since that takes a second: what it talks to is each test's own."""
    return app_over(None)  # type: ignore[arg-type]  # each test sets what it talks to


@cache
def document() -> dict[str, Any]:
    return application().openapi()


@cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": document()["components"]}
    return jsonschema_rs.validator_for(whole)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Mapping[str, Any]], ...]:
    paths: Mapping[str, Any] = document()["paths"]
    return tuple((re.compile(re.sub(r"\{\w+\}", ".+", path)), said) for path, said in paths.items())


def _operation(method: str, path: str) -> Mapping[str, Any] | None:
    """The first operation that takes a path, as the routes are tried; None where there is none."""
    return next(
        (
            said[method]
            for pattern, said in _patterns()
            if method in said and pattern.fullmatch(path)
        ),
        None,
    )
