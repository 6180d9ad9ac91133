"""The OpenAPI document: whole, with examples, and true: every response in these tests is held against it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import app_over

METHODS = ("get", "post", "patch", "delete")
UNAUTHENTICATED = ("/healthz", "/readyz", "/v1/webhooks/stripe")

Operation = tuple[str, str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def document() -> Mapping[str, Any]:
    return offline().openapi()


def offline() -> FastAPI:
    return app_over(None)  # type: ignore[arg-type]  # it is only asked what it looks like


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def every(document: Mapping[str, Any], holds: Any) -> list[str]:
    """The operations for which it does not hold."""
    return [
        f"{method} {path}" for path, method, said in operations(document) if not holds(path, said)
    ]


def test_it_names_itself(document: Mapping[str, Any]) -> None:
    assert document["info"]["title"] == "Weir"
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"


def test_every_operation_is_named_and_has_one_tag(document: Mapping[str, Any]) -> None:
    assert every(document, lambda path, said: said["summary"] and len(said["tags"]) == 1) == []
    ids = [said["operationId"] for _, _, said in operations(document)]
    assert len(set(ids)) == len(ids)


def test_every_operation_asks_for_a_key_but_the_public_ones(document: Mapping[str, Any]) -> None:
    def is_closed(path: str, said: Mapping[str, Any]) -> bool:
        return ("security" in said) == (path not in UNAUTHENTICATED)

    assert every(document, is_closed) == []


def test_every_operation_tells_its_problems(document: Mapping[str, Any]) -> None:
    def tells(path: str, said: Mapping[str, Any]) -> bool:
        problems = {
            status
            for status, response in said["responses"].items()
            if "application/problem+json" in response.get("content", {})
        }
        return {"401", "403", "404", "409", "422", "503"} <= problems or path in UNAUTHENTICATED

    assert every(document, tells) == []


def test_every_body_and_every_answer_has_an_example(document: Mapping[str, Any]) -> None:
    def is_shown(path: str, said: Mapping[str, Any]) -> bool:
        bodies = [said["requestBody"]] if "requestBody" in said else []
        good = [r for status, r in said["responses"].items() if status in ("200", "201")]
        return all(
            _has_example(document, content)
            for whole in (*bodies, *good)
            for content in whole["content"].values()
        )

    assert every(document, is_shown) == []


def test_every_parameter_is_described(document: Mapping[str, Any]) -> None:
    undescribed = [
        f"{method} {path}: {parameter['name']}"
        for path, method, said in operations(document)
        for parameter in said.get("parameters", ())
        if not parameter.get("description")
    ]
    assert undescribed == []


def _has_example(document: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    """One of its own, or one for each of its members."""
    return "example" in content or "examples" in content or _is_shown(document, content["schema"])


def _is_shown(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> bool:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "examples" in schema or "enum" in schema or "const" in schema or depth > 8:
        return True
    if "anyOf" in schema:
        return any(_is_shown(document, each, depth + 1) for each in schema["anyOf"])
    match schema.get("type"):
        case "object" if schema.get("properties"):
            return all(_is_shown(document, m, depth + 1) for m in schema["properties"].values())
        case "array":
            return _is_shown(document, schema["items"], depth + 1)
        case _:
            return schema.get("type") in ("boolean", "integer", "null")
