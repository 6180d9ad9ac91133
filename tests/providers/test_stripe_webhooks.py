"""What a webhook may claim, and who may claim it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from providers.payments.sandbox.hooks import signed
from providers.payments.webhooks import TOLERANCE_SECONDS, BadSignature, read_event

SECRET = "whsec_test"
METADATA = {"environment": "env_1", "invoice": "INV-1"}


def event(subject: dict[str, object], kind: str = "payment_intent.succeeded") -> str:
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": subject}})


INTENT = event({"id": "pi_1", "object": "payment_intent", "metadata": METADATA})


def now() -> int:
    return int(time.time())


def test_an_event_names_its_object_and_where_it_belongs() -> None:
    told = read_event(INTENT.encode(), signed(INTENT, SECRET, now()), SECRET)
    assert (told.id, told.type) == ("evt_1", "payment_intent.succeeded")
    assert (told.object_id, told.intent) == ("pi_1", "pi_1")
    assert (told.environment, dict(told.metadata)) == ("env_1", METADATA)


@pytest.mark.parametrize(
    ("subject", "object_id", "intent"),
    [
        ({"id": "re_1", "object": "refund", "payment_intent": "pi_2"}, "re_1", "pi_2"),
        ({"id": "du_1", "object": "dispute", "payment_intent": {"id": "pi_3"}}, "du_1", "pi_3"),
        ({"id": "ch_1", "object": "charge", "payment_intent": None}, "ch_1", None),
        ({"id": "cus_1", "object": "customer"}, "cus_1", None),
        ({"object": "balance"}, None, None),
    ],
    ids=lambda value: value["object"] if isinstance(value, dict) else "",
)
def test_an_event_leads_to_its_payment(
    subject: dict[str, object], object_id: str | None, intent: str | None
) -> None:
    body = event(subject)
    told = read_event(body.encode(), signed(body, SECRET, now()), SECRET)
    assert (told.object_id, told.intent, told.environment) == (object_id, intent, None)


def test_metadata_is_text_or_nothing() -> None:
    body = event({"id": "pi_1", "metadata": {"environment": 7, "invoice": "INV-1"}})
    told = read_event(body.encode(), signed(body, SECRET, now()), SECRET)
    assert (told.environment, dict(told.metadata)) == (None, {"invoice": "INV-1"})


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="none"),
        pytest.param("nonsense", id="nonsense"),
        pytest.param("t=soon,v1=00", id="no time"),
        pytest.param(f"t={now()}", id="a time alone"),
        pytest.param(f"t={now()},v1=ü", id="not ascii"),
        pytest.param(signed(INTENT, "whsec_other", now()), id="another secret"),
        pytest.param(signed(INTENT + " ", SECRET, now()), id="another body"),
        pytest.param(signed(INTENT, SECRET, now()).replace("v1=", "v0="), id="another scheme"),
        pytest.param(signed(INTENT, SECRET, now() - TOLERANCE_SECONDS - 60), id="too old"),
    ],
)
def test_an_unsigned_event_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        read_event(INTENT.encode(), signature, SECRET)


def test_an_event_on_the_way_for_minutes_is_taken() -> None:
    late = signed(INTENT, SECRET, now() - TOLERANCE_SECONDS + 60)
    assert read_event(INTENT.encode(), late, SECRET).id == "evt_1"


def test_no_secret_is_no_proof() -> None:
    with pytest.raises(BadSignature):
        read_event(INTENT.encode(), signed(INTENT, "", now()), "")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadSignature):
        read_event(b"\xff\xfe", signed("x", SECRET, now()), SECRET)


@given(position=st.integers(0, len(INTENT) - 1), replacement=st.characters(codec="ascii"))
def test_no_character_can_be_changed(position: int, replacement: str) -> None:
    changed = INTENT[:position] + replacement + INTENT[position + 1 :]
    signature = signed(INTENT, SECRET, now())
    if changed == INTENT:
        assert read_event(changed.encode(), signature, SECRET).id == "evt_1"
    else:
        with pytest.raises(BadSignature):
            read_event(changed.encode(), signature, SECRET)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "[" * 100_000,
        '{"id": "evt_1"}',
        '{"id": 1, "type": "x", "data": {"object": {}}}',
        '{"id": "evt_1", "type": "x", "data": {"object": []}}',
    ],
    ids=["empty", "no json", "a list", "deep", "no type", "a number for an id", "a list within"],
)
def test_signed_nonsense_is_invalid(body: str) -> None:
    with pytest.raises(Invalid):
        read_event(body.encode(), signed(body, SECRET, now()), SECRET)
