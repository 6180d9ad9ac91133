"""`weir plans import`: documents on standard output with --print, what was made of the list on standard error."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

TOKENS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"]
PRICES = """{
    "large": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "input_cost_per_image": 0.1},
    "small": {"input_cost_per_token": 0, "output_cost_per_token": 0.0},
    "sound": {"input_cost_per_second": 0.0001}
}"""


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(PRICES)
    return path


def run(path: Path, *options: str) -> tuple[int, str, str]:
    told = CliRunner().invoke(app, ["plans", "import", str(path), *options], env={"WEIR_API_KEY": ""})  # fmt: skip
    return told.exit_code, told.stdout, told.stderr


def test_the_documents(prices: Path) -> None:
    options = ("--markup", "10", "--default-unit-amount", "1", "--fills-gaps", "--print")
    status, out, told = run(prices, "--plan", "ai", *options)
    documents = json.loads(out)
    assert status == 0
    assert [meter["value"] for meter in documents["meters"]] == TOKENS
    assert documents["plan"]["fills_gaps"] is True
    assert documents["plan"]["items"][0]["price"] == {
        "model": "matrix",
        "dimensions": ["model"],
        "cells": [
            {"match": {"model": "large"}, "unit_amount": "0.0000033"},
            {"match": {"model": "small"}, "unit_amount": "0"},
        ],
        "default_unit_amount": "1",
    }
    assert told.splitlines() == [
        "2 models, 1 of them free of charge, by " + ", ".join(TOKENS),
        "skipped sound: has no input_cost_per_token and no output_cost_per_token",
        "not charged, though listed for some of the models: input_cost_per_image (1)",
    ]


@pytest.mark.parametrize(("options", "told"), [
    pytest.param(["--plan", "a b"],                           "--plan: must be 1 to 200",          id="a plan"),
    pytest.param(["--plan", "ai", "--currency", "usd"],       "--currency: must be an ISO 4217",   id="a currency"),
    pytest.param(["--plan", "ai", "--markup", "1e1"],         "--markup: must be a decimal",       id="a markup"),
    pytest.param(["--plan", "ai", "--markup", "-101"],        "--markup: must not take away",      id="less than nothing"),
    pytest.param(["--plan", "ai", "--default-unit-amount", "NaN"], "--default-unit-amount: must be", id="a default"),
    pytest.param(["--plan", "ai", "--event-name", "a b"],     "--event-name: must be 1 to 200",    id="an event"),
    pytest.param(["--plan", "ai", "--only", "gpt-*"],         "has no model with prices per token among 0 of 3", id="no model that is meant"),
    pytest.param(["--plan", "ai"],                            "--key: is required",                id="no key"),
])  # fmt: skip
def test_what_is_wrong_is_one_line(prices: Path, options: list[str], told: str) -> None:
    status, out, errors = run(prices, *options)
    assert (status, out, errors.count("\n")) == (1, "", 1)
    assert told in errors


@pytest.mark.parametrize(("content", "told"), [
    ("no JSON",                                        "is no JSON"),
    ('{"a": {}, "a": {}}',                             "has the member a twice"),
    ('{"a": {"input_cost_per_token": -1}}',            "weir: a.input_cost_per_token: must be a number from 0"),
    ("[]",                                             "must be an object of models"),
])  # fmt: skip
def test_a_list_with_faults(prices: Path, content: str, told: str) -> None:
    prices.write_text(content)
    status, out, errors = run(prices, "--plan", "ai", "--print")
    assert (status, out) == (1, "")
    assert told in errors
