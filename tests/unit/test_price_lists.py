import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from cli.exact_yaml import read_json
from domain.catalog import read_plan
from domain.errors import Invalid
from domain.metering.meter import read_meter
from domain.price_lists import Imported, Skipped, Terms, import_list, unit_price
from domain.pricing.matrix import Matrix
from domain.reading import InexactNumber

PUBLISHED = Path(__file__).parents[2] / "../shared/data/model_prices.json"
TERMS = Terms("ai", "AI", "USD", "llm.completion")
LARGE = '"large": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05}'


def imported(listed: str, terms: Terms = TERMS) -> Imported:
    return import_list(read_json("{" + listed + "}"), terms)


def cells(result: Imported) -> Mapping[str, Mapping[str, str]]:
    """The unit amounts as they are written in the plan, by item and model."""
    items: list[dict[str, object]] = json.loads(json.dumps(result.plan))["items"]
    return {
        str(item["key"]): {
            cell["match"]["model"]: cell["unit_amount"]
            for cell in item["price"]["cells"]  # type: ignore[index]  # a document
        }
        for item in items
    }


@pytest.mark.parametrize(("written", "price"), [
    ("1e-08",                  "1/100000000"),
    ("1.25e-06",               "1/800000"),
    ("1.25E-6",                "1/800000"),
    ("0.0",                    "0"),
    ("3",                      "3"),
    ("12.50",                  "25/2"),
    ("1.5e+1",                 "15"),
    ("2e1",                    "20"),
    ("9.54e-07",               "477/500000000"),
    ("1e-38",                  "1/100000000000000000000000000000000000000"),
])  # fmt: skip
def test_a_price_is_what_is_written(written: str, price: str) -> None:
    assert unit_price(InexactNumber(written)) == Fraction(price)
    assert unit_price(written) == Fraction(price)


@pytest.mark.parametrize("value", [
    pytest.param(InexactNumber("-1e-06"),   id="negative"),
    pytest.param(InexactNumber("NaN"),      id="no number"),
    pytest.param(InexactNumber("Infinity"), id="no end"),
    pytest.param(InexactNumber("1e-39"),    id="more decimals than a price has"),
    pytest.param(InexactNumber("1.5e-38"),  id="one decimal more than a price has"),
    pytest.param(InexactNumber("1e38"),     id="more digits than a price has"),
    pytest.param(InexactNumber("1e400"),    id="a large exponent"),
    pytest.param(InexactNumber("1e999999999"), id="an exponent without end"),
    pytest.param("free",                    id="a word"),
    pytest.param("",                        id="nothing"),
    pytest.param(True,                      id="a truth"),
    pytest.param(0.000001,                  id="a number that lost its digits"),
    pytest.param(["1e-06"],                 id="a list"),
    pytest.param(None,                      id="null"),
])  # fmt: skip
def test_what_is_no_price_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        unit_price(value)


def test_a_list_becomes_an_item_and_a_meter_for_each_kind_of_token() -> None:
    result = imported(LARGE)
    assert [meter["key"] for meter in result.meters] == [
        "llm.completion.input_tokens",
        "llm.completion.output_tokens",
        "llm.completion.cache_read_tokens",
        "llm.completion.cache_creation_tokens",
    ]
    assert result.meters[0] == {
        "key": "llm.completion.input_tokens",
        "event_name": "llm.completion",
        "aggregation": "sum",
        "value": "input_tokens",
        "group_by": ["model"],
    }
    assert cells(result) == {
        "input": {"large": "0.000003"},
        "output": {"large": "0.000015"},
        "cache-read": {"large": "0.000003"},
        "cache-creation": {"large": "0.000003"},
    }
    assert (result.models, result.free, result.skipped, result.not_charged) == (1, 0, (), {})


def test_tokens_that_a_model_does_not_price_apart_are_input_tokens() -> None:
    cached = '"cached": {"input_cost_per_token": 2e-06, "output_cost_per_token": 1, "cache_read_input_token_cost": 5e-07}'
    result = imported(f"{LARGE}, {cached}")
    assert cells(result)["cache-read"] == {"large": "0.000003", "cached": "0.0000005"}
    assert cells(result)["cache-creation"] == cells(result)["input"]  # which no model prices
    assert result.meters[2]["filters"] == [{"property": "cache_read_tokens", "exists": True}]


@pytest.mark.parametrize(("markup", "amount"), [
    ("0",        "0.000003"),
    ("20",       "0.0000036"),
    ("12.5",     "0.000003375"),
    ("-50",      "0.0000015"),
    ("-100",     "0"),
    ("0.000001", "0.00000300000003"),
])  # fmt: skip
def test_a_markup_is_exact(markup: str, amount: str) -> None:
    terms = Terms("ai", "AI", "USD", "llm.completion", markup=Fraction(markup) / 100)
    assert cells(imported(LARGE, terms))["input"] == {"large": amount}


def test_models_without_a_price_per_token_are_skipped_and_say_why() -> None:
    image = '"image": {"input_cost_per_token": 5e-06, "output_cost_per_token": null, "output_cost_per_image": 0.01}'
    sound = '"sound": {"input_cost_per_second": 0.0001}'
    result = imported(f"{LARGE}, {image}, {sound}")
    assert result.skipped == (
        Skipped("image", "has no output_cost_per_token"),
        Skipped("sound", "has no input_cost_per_token and no output_cost_per_token"),
    )
    assert (result.models, list(cells(result)["input"])) == (1, ["large"])


def test_prices_that_are_not_charged_are_counted() -> None:
    prices = '"input_cost_per_token": 0, "output_cost_per_token": 0.0, "supports_vision": true'
    batches = f'"a": {{{prices}, "input_cost_per_token_batches": 1e-06}}'
    both = f'"b": {{{prices}, "input_cost_per_token_batches": 1e-06, "output_cost_per_image": 0.1, "input_cost_per_image": 0}}'
    result = imported(f"{batches}, {both}")
    assert dict(result.not_charged) == {"input_cost_per_token_batches": 2, "output_cost_per_image": 1}  # fmt: skip
    assert result.free == 2


def test_only_the_models_that_match_are_taken() -> None:
    three = ", ".join(LARGE.replace("large", name) for name in ("gpt-5", "gpt-5-mini", "claude"))
    terms = Terms("ai", "AI", "USD", "llm.completion", only=("gpt-5*", "nobody"))
    assert list(cells(imported(three, terms))["input"]) == ["gpt-5", "gpt-5-mini"]


def test_a_default_is_for_every_kind_of_token() -> None:
    terms = Terms("ai", "AI", "USD", "e", default_unit_amount=Fraction(1, 100))
    prices = [item.price.model for item in read_plan(imported(LARGE, terms).plan).items]
    assert [isinstance(p, Matrix) and p.default_unit_amount for p in prices] == [Fraction(1, 100)] * 4  # fmt: skip


def test_it_can_price_what_earlier_versions_lack() -> None:
    terms = Terms("ai", "AI", "USD", "e", fills_gaps=True)
    assert read_plan(imported(LARGE, terms).plan).fills_gaps
    assert not read_plan(imported(LARGE).plan).fills_gaps


@pytest.mark.parametrize(("listed", "paths"), [
    pytest.param('"a": 1',                                             ["a"],                           id="a model without members"),
    pytest.param('"a": {"input_cost_per_token": "free"}',              ["a.input_cost_per_token"],      id="a price that is none"),
    pytest.param('"a": {"input_cost_per_token": -1e-06, "output_cost_per_token": NaN}, "b": {"output_cost_per_token": true}',
                 ["a.input_cost_per_token", "a.output_cost_per_token", "b.output_cost_per_token"],      id="every fault"),
    pytest.param('"": {"input_cost_per_token": 1}',                    [""],                            id="a model without a name"),
    pytest.param("",                                                   [""],                            id="no model"),
    pytest.param('"sound": {"input_cost_per_second": 1}',              [""],                            id="no model with a price per token"),
    pytest.param(", ".join(LARGE.replace("large", str(n)) for n in range(1_001)), [""],                 id="more models than a price takes"),
])  # fmt: skip
def test_refused(listed: str, paths: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        imported(listed)
    assert [fault.path for fault in refused.value.faults] == paths


@pytest.mark.parametrize("value", [None, [], "prices", InexactNumber("1.5"), 7])
def test_what_is_no_list_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        import_list(value, TERMS)


def test_a_markup_that_no_price_can_carry_names_the_price() -> None:
    tiny = LARGE.replace("3e-06", "1e-38")
    terms = Terms("ai", "AI", "USD", "e", markup=Fraction(1, 2))
    with pytest.raises(Invalid) as refused:
        imported(tiny, terms)
    assert refused.value.faults[0].path == "large.input_cost_per_token"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published list is not beside the project")
def test_the_published_list_keeps_every_price() -> None:
    result = import_list(read_json(PUBLISHED.read_text()), TERMS)
    assert (result.models, len(result.skipped)) == (215, 3)
    listed = json.loads(PUBLISHED.read_text(), parse_float=Fraction, parse_int=Fraction)
    items = cells(result)
    for item, name in (("input", "input_cost_per_token"), ("output", "output_cost_per_token")):
        assert {m: Fraction(a) for m, a in items[item].items()} == {m: listed[m][name] for m in items[item]}  # fmt: skip
    assert read_plan(result.plan).currency == "USD"
    assert all(read_meter(meter).event_name == "llm.completion" for meter in result.meters)
