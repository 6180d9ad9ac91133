"""`weir simulate`: a document on standard output, differences with --check, faults on standard error."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

STORY = """
name: one month
currency: USD
plans:
  - {key: pro, interval: {unit: month, count: 1}, items: [{key: base, kind: recurring, price: {model: flat, amount: "20.00"}}]}
customers: [{key: acme}]
timeline:
  - {at: 2026-01-01T00:00:00Z, subscribe: {key: s1, customer: acme, plan: pro}}
until: 2026-01-02T00:00:00Z
expect:
  invoices: [{total: "20", issued_at: 2026-01-01T01:00:00+01:00}]
"""


def simulate(path: Path, *options: str, text: str = STORY) -> tuple[int, str, str]:
    path.write_text(text, encoding="utf-8")
    told = CliRunner().invoke(app, ["simulate", str(path), *options])
    return told.exit_code, told.stdout, told.stderr


@pytest.fixture
def story(tmp_path: Path) -> Path:
    return tmp_path / "story.yaml"


def test_the_document(story: Path) -> None:
    status, out, errors = simulate(story)
    document = json.loads(out)
    assert (status, errors) == (0, "")
    assert list(document) == [
        "invoices",
        "credit_notes",
        "payments",
        "ledger",
        "answers",
        "subscriptions",
        "notifications",
    ]
    (invoice,) = document["invoices"]
    assert (invoice["number"], invoice["total"], invoice["status"]) == (
        "INV-000001",
        "20.00",
        "paid",
    )
    (line,) = invoice["lines"]
    assert line["period"] == ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
    assert document["payments"] == [
        {
            "at": "2026-01-01T00:00:00Z",
            "kind": "payment",
            "amount": "20.00",
            "currency": "USD",
            "status": "succeeded",
            "failure_code": None,
            "attempt": 1,
            "invoice": "INV-000001",
        }
    ]
    assert [told["type"] for told in document["notifications"]] == [
        "invoice.issued",
        "payment.succeeded",
    ]


def test_the_same_story_in_json(tmp_path: Path, story: Path) -> None:
    as_json = {
        "currency": "USD",
        "plans": [
            {
                "key": "pro",
                "interval": {"unit": "month", "count": 1},
                "items": [
                    {"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "20"}}
                ],
            }
        ],
        "customers": [{"key": "acme"}],
        "timeline": [
            {
                "at": "2026-01-01T00:00:00Z",
                "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"},
            }
        ],
        "until": "2026-01-02T00:00:00Z",
    }
    in_json = simulate(tmp_path / "story.json", text=json.dumps(as_json))
    assert in_json == simulate(story)


def test_check_holds_silently(story: Path) -> None:
    assert simulate(story, "--check") == (0, "", "")


def test_check_prints_each_difference(story: Path) -> None:
    wrong = STORY.replace('total: "20"', 'total: "21"').replace("T01:00", "T02:00")
    assert simulate(story, "--check", text=wrong) == (
        1,
        "invoices.0.total: expected '21', got '20.00'\n"
        "invoices.0.issued_at: expected '2026-01-01T02:00:00+01:00', got '2026-01-01T00:00:00Z'\n",
        "",
    )


def test_check_needs_something_expected(story: Path) -> None:
    status, _, errors = simulate(story, "--check", text=STORY.split("expect:")[0])
    assert (status, errors) == (2, f"weir: {story}: expect: is required by --check\n")


@pytest.mark.parametrize(("old", "new", "told"), [
    ('amount: "20.00"', "amount: 20.00", "plans.0.items.0.price.amount: the number 20.00 may have lost digits: send it as a string"),
    ("customer: acme,", "customr: acme,", "timeline.0.subscribe.customer: is required"),
    ("currency: USD", "currency: dollars", "currency: must be an ISO 4217 currency code in upper case, like USD"),
    ("name: one month", "name: [", "the file: is no YAML"),
])  # fmt: skip
def test_faults_are_told_with_their_paths(story: Path, old: str, new: str, told: str) -> None:
    status, out, errors = simulate(story, text=STORY.replace(old, new))
    assert (status, out) == (2, "")
    assert errors.startswith(f"weir: {story}: {told}")


def test_usage_that_a_price_cannot_charge(story: Path) -> None:
    matrix = "{model: matrix, dimensions: [size], cells: [{match: {size: large}, unit_amount: 1}]}"
    text = f"""
currency: USD
meters: [{{key: calls, event_name: call, aggregation: count, group_by: [size]}}]
plans: [{{key: pro, interval: {{unit: month}}, items: [{{key: calls, kind: usage, meter: calls, price: {matrix}}}]}}]
customers: [{{key: acme}}]
timeline:
  - {{at: 2026-01-01T00:00:00Z, subscribe: {{key: s1, customer: acme, plan: pro}}}}
  - {{at: 2026-01-02T00:00:00Z, usage: {{customer: acme, event_name: call, properties: {{size: small}}}}}}
until: 2026-02-01T00:00:00Z
"""
    status, out, errors = simulate(story, text=text)
    assert (status, out) == (2, "")
    assert "pro.calls.usage.groups.0: size=small has no cell, and there is no default" in errors


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["simulate", str(tmp_path / "nothing.yaml")])
    assert (told.exit_code, told.stdout) == (2, "")
    assert "the file: cannot be read" in told.stderr
