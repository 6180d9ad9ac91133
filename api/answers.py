"""Responses: documents as JSON."""

import json
from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import Response


def answer(document: Mapping[str, object], status: int = 200) -> Response:
    return Response(_json(document), status, media_type="application/json")


def later(document: Mapping[str, object]) -> Response:
    """What was asked for is written down, and not done yet: who asks again, under the same name, learns what came of it."""
    return Response(_json(document), 202, {"Retry-After": "1"}, "application/json")


def show_once(
    request: Request, document: Mapping[str, object], secret: str, status: int
) -> Response:
    """Answer with a member that is a secret: shown now, kept nowhere, null for who repeats the request."""
    request.state.body_to_keep = _json({**document, secret: None})
    return answer(document, status)


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
