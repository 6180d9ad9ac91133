"""Stripe's webhooks, verified and read.

Stripe promises neither order nor single delivery: store each event once by its id, then read its object again.
"""

import json
from collections.abc import Mapping
from typing import TypeGuard

import stripe

from domain.errors import Invalid, Rejected
from providers.payments.port import ProviderEvent

TOLERANCE_SECONDS = 300


class BadSignature(Rejected):
    """Not signed with our secret, or too long ago: nothing in it may be believed or stored."""

    code = "bad_signature"


def read_event(payload: bytes, signature: str, secret: str) -> ProviderEvent:
    """Read the raw body of a webhook. Raises `BadSignature`, or `Invalid` for a signed body that is no event."""
    try:
        stripe.WebhookSignature.verify_header(payload, signature, secret, TOLERANCE_SECONDS)
    except (stripe.SignatureVerificationError, ValueError, TypeError) as error:
        raise BadSignature("the signature is missing, wrong or too old") from error
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise Invalid.at("", "must be a JSON document") from None
    return provider_event(document)


def provider_event(document: object) -> ProviderEvent:
    """An event object of the API as ours; raise `Invalid` where it is none."""
    match document:
        case {"id": str(event_id), "type": str(kind), "data": {"object": dict(subject)}}:
            metadata = _texts(subject.get("metadata"))
            return ProviderEvent(
                id=event_id,
                type=kind,
                object_id=_text(subject.get("id")),
                intent=_intent_of(subject),
                environment=metadata.get("environment"),
                metadata=metadata,
            )
        case _:
            raise Invalid.at("", "must be an event with id, type and data.object")


def _intent_of(subject: Mapping[str, object]) -> str | None:
    match subject:
        case {"object": "payment_intent", "id": str(intent)}:
            return intent
        case {"payment_intent": str(intent) | {"id": str(intent)}}:
            return intent
        case _:
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {name: text for name, text in value.items() if _is_text(name) and _is_text(text)}


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)
