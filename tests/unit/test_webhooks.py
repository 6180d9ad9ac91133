"""Who is told of what, where a webhook may go, and when it is tried again."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from domain.errors import Invalid
from domain.webhooks.addresses import (
    PrivateAddresses,
    is_public,
    may_be_private,
    read_url,
    require_secure,
)
from domain.webhooks.attempts import Attempt, Verdict, judged
from domain.webhooks.notification import Notification, told
from domain.webhooks.signing import read_secret, secret_of
from domain.webhooks.topics import read_topics, wants

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seconds(count: int) -> datetime:
    return NOON + timedelta(seconds=count)


@pytest.mark.parametrize(
    ("patterns", "topic", "wanted"),
    [
        (["*"], "invoice.issued", True),
        (["invoice.issued"], "invoice.issued", True),
        (["invoice.issued"], "invoice.paid", False),
        (["invoice.issued"], "invoice.issued.again", False),
        (["invoice.*"], "invoice.issued", True),
        (["invoice.*"], "invoice.line.added", True),
        (["invoice.*"], "invoice", False),
        (["invoice.*"], "invoices.issued", False),
        (["credit_grant.*", "alert.triggered"], "alert.triggered", True),
        (["credit_grant.*", "alert.triggered"], "alert.recovered", False),
    ],
)
def test_topics(patterns: list[str], topic: str, wanted: bool) -> None:
    assert wants(read_topics(patterns), topic) is wanted


def test_a_topic_is_named_once() -> None:
    assert read_topics(["a.b", "*", "a.b"]) == ("a.b", "*")


@pytest.mark.parametrize(
    "topics",
    ["*", [], [""], ["invoice.**"], ["*.paid"], ["inv*"], ["Invoice.paid"], ["a..b"], ["a."], ["a\n"], [1], ["a"] * 101],
)  # fmt: skip
def test_what_is_no_list_of_topics(topics: object) -> None:
    with pytest.raises(Invalid):
        read_topics(topics)


# Attempts: the wait before the next one, by how many there were before.
SCHEDULE = {
    0: timedelta(seconds=5),
    1: timedelta(minutes=5),
    2: timedelta(minutes=30),
    3: timedelta(hours=2),
    4: timedelta(hours=5),
    5: timedelta(hours=10),
    6: timedelta(hours=14),
    7: timedelta(hours=20),
    8: timedelta(hours=24),
}


@pytest.mark.parametrize(("before", "wait"), SCHEDULE.items())
@pytest.mark.parametrize("status", [None, 199, 302, 400, 429, 500, 503])
def test_what_has_failed_is_tried_again(before: int, wait: timedelta, status: int | None) -> None:
    attempt = Attempt(NOON, 38, status)
    assert judged(before, attempt, None) == Verdict("pending", NOON + wait, NOON)


@pytest.mark.parametrize("before", [9, 10, 50])
def test_after_the_last_attempt_it_has_failed(before: int) -> None:
    assert judged(before, Attempt(NOON, 38, 500), NOON) == Verdict("failed", None, NOON)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize("before", [0, 9])
def test_a_success_ends_all_failing(before: int, status: int) -> None:
    assert judged(before, Attempt(NOON, 38, status), NOON) == Verdict("delivered")


@pytest.mark.parametrize(
    ("after", "disabling"),
    [(timedelta(days=5) - timedelta(seconds=1), None), (timedelta(days=5), "failing")],
)
@pytest.mark.parametrize("before", [0, 9])
def test_who_fails_for_too_long_is_disabled(
    after: timedelta, disabling: Literal["failing"] | None, before: int
) -> None:
    verdict = judged(before, Attempt(NOON + after, 38, 500), NOON)
    assert (verdict.disabling, verdict.failing_since) == (disabling, NOON)


def test_who_is_gone_is_disabled_at_once() -> None:
    gone = judged(0, Attempt(NOON, 38, 410), None)
    assert gone == Verdict("failed", None, NOON, "gone")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://127.0.0.1:8000/hooks",
        "https://example.com:8443/a/b?token=x%20y",
        "https://[2001:db8::1]/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_urls(url: str) -> None:
    assert read_url(url) == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (1, "must be text"),
        ("", "must have from 1 to 2000 characters"),
        ("example.com", "must begin with https:// or http://"),
        ("ftp://example.com", "must begin with https:// or http://"),
        ("file:///etc/passwd", "must begin with https:// or http://"),
        ("https://", "must name a host"),
        ("https:///path", "must name a host"),
        ("https://user:pass@example.com/", "must not carry credentials"),
        ("https://user@example.com/", "must not carry credentials"),
        ("https://example.com\\@evil.example/", "must not carry credentials"),
        ("https://example.com/#part", "must not have a fragment"),
        ("https://example.com:99999/", "is no URL"),
        ("https://example.com:0/", "is no URL"),
        ("https://[::1/", "is no URL"),
        ("https://bücher.example/", "must have at most 1000 printable ASCII characters"),
        ("https://example.com/a b", "must have at most 1000 printable ASCII characters"),
        ("https://example.com/a\nb", "must have at most 1000 printable ASCII characters"),
        ("https://example.com/" + "a" * 1000, "must have at most 1000 printable ASCII characters"),
    ],
)
def test_what_is_no_url_of_an_endpoint(url: object, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        read_url(url)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("url", "mode", "private", "taken"),
    [
        ("https://example.com/", "live", "refused", True),
        ("http://example.com/", "live", "refused", False),
        ("http://example.com/", "live", "allowed", False),
        ("http://127.0.0.1/", "live", "refused", False),
        ("http://127.0.0.1/", "live", "test", False),
        ("http://127.0.0.1/", "live", "allowed", True),
        ("http://localhost/", "live", "allowed", True),
        ("http://[::1]/", "live", "allowed", True),
        ("http://10.0.0.1/", "live", "allowed", False),
        ("http://example.com/", "test", "refused", True),
    ],
)
def test_live_facts_are_not_sent_in_clear_text(
    url: str, mode: Literal["live", "test"], private: PrivateAddresses, taken: bool
) -> None:
    if taken:
        return require_secure(url, mode, private)
    with pytest.raises(Invalid, match="must begin with https:// in a live environment"):
        require_secure(url, mode, private)
    return None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::a01:203", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_where_private_addresses_may_be() -> None:
    said = [
        (private, may_be_private("live", private), may_be_private("test", private))
        for private in ("refused", "test", "allowed")
    ]
    assert said == [("refused", False, False), ("test", False, True), ("allowed", True, True)]


def test_secrets() -> None:
    made = secret_of(bytes(range(24)))
    assert read_secret(made) == made
    assert read_secret(secret_of(b"x" * 64)) == secret_of(b"x" * 64)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_!!!", secret_of(b"x" * 23), secret_of(b"x" * 65), secret_of(b"x" * 32)[6:], 1],
)  # fmt: skip
def test_what_is_no_secret(secret: object) -> None:
    with pytest.raises(Invalid) as raised:
        read_secret(secret)
    assert not isinstance(secret, str) or len(secret) < 7 or secret not in str(raised.value)


def test_what_is_told() -> None:
    fact = Notification("ntf_1", "invoice.issued", "inv_1", seconds(1), {"total": "19.20"})
    assert told(fact, "test") == {
        "id": "ntf_1",
        "type": "invoice.issued",
        "at": "2026-01-01T12:00:01Z",
        "environment": "test",
        "data": {"id": "inv_1", "total": "19.20"},
    }
