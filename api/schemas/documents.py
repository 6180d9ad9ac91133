"""JSON Schemas of the catalogue's documents: what the OpenAPI document shows. The domain's readers decide what is valid."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Body
from pydantic import BaseModel, WithJsonSchema

from api.schemas.fields import DECIMAL, INSTANT, KEY, read_with
from domain.errors import Invalid
from domain.reading import LONGEST_TEXT

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
FLAG: Schema = {"type": "boolean"}
DECIMAL_OR_NULL: Schema = {**DECIMAL, "type": ["string", "null"]}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
KEYS: Schema = {"type": "array", "items": KEY}


def document(
    required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None
) -> Schema:
    """An object of these members and no others. An optional one may be null, which is to leave it out."""
    may_be = {name: or_null(schema) for name, schema in (optional or {}).items()}
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **may_be},
        "additionalProperties": False,
    }


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    if "anyOf" in schema:
        null = [] if {"type": "null"} in schema["anyOf"] else [{"type": "null"}]
        return {**schema, "anyOf": [*schema["anyOf"], *null]}
    types = _types(schema)
    if "null" in types or not types:
        return schema
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [*types, "null"], **values}


def _types(schema: Schema) -> tuple[str, ...]:
    named = schema.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def choice(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def list_of(schema: Schema, at_most: int = 1_000) -> Schema:
    return {"type": "array", "items": schema, "maxItems": at_most}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


INTERVAL = document({
    "unit": {**choice("hour", "day", "week", "month", "year"), "description": "Hours are elapsed time, the others local dates."},
}, {
    "count": {"type": "integer", "minimum": 1, "default": 1, "description": "So many of them."},
})  # fmt: skip


def kept(schema: Schema, title: str, example: Mapping[str, object], **more: Schema) -> Schema:
    """A document as it is given back: with its id and times, and what it was made of."""
    own = {"id": {"type": "string"}, **more, "created_at": INSTANT}
    ends = {"archived_at": {**INSTANT, "type": ["string", "null"]}}
    return {
        **schema,
        "title": title,
        "required": [*schema["required"], *own, *ends],
        "properties": {**schema["properties"], **own, **ends},
        "examples": [example],
    }


def page_of(schema: Schema) -> Schema:
    return document({"data": list_of(schema), "next": {**TEXT_OR_NULL, "examples": [None]}})


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid.at("", "must be an object")
    return value


# A body that a reader of the domain reads: any JSON object. `Annotated[Raw, shown_as(…)]` says what it looks like.
Raw = Annotated[dict[str, Any], read_with(_object), Body()]


def shown_as(schema: Schema, title: str, example: Mapping[str, object]) -> WithJsonSchema:
    return WithJsonSchema({**schema, "title": title, "examples": [example]})


def responses(schema: Schema, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route that answers with such a document."""
    content = {"application/json": {"schema": schema}}
    said = {200: "As it is.", 201: "As it was made."}
    return {status: {"description": said[status], "content": content} for status in statuses}


def later_as(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The response of a request that is not done yet."""
    return {202: {"description": "Written down, and done as soon as it can be.", "model": model}}


def with_text_decimals(schema: Schema, value: Any) -> Any:
    """The document with whole numbers written as text wherever the schema has decimals: so they go out as strings."""
    match value:
        case bool():
            return value
        case int():
            return str(value) if schema.get("pattern") == DECIMAL["pattern"] else value
        case dict():
            members = _branch(schema, value).get("properties", {})
            return {name: with_text_decimals(members.get(name, {}), v) for name, v in value.items()}
        case list():
            entries = _branch(schema, value).get("items", {})
            return [with_text_decimals(entries, entry) for entry in value]
        case _:
            return value


def _branch(schema: Schema, value: Any) -> Schema:
    """Of alternatives, the one that is meant: told by the model's name, or the only one that is no null."""
    for branch in schema.get("oneOf", ()):
        if isinstance(value, dict) and branch["properties"]["model"]["const"] == value.get("model"):
            return dict(branch)
    alternatives = schema.get("anyOf")
    return dict(alternatives[0]) if alternatives else schema
