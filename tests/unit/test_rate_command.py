import pytest
from typer.testing import CliRunner

from cli.main import app
from domain.calculators.rating import answer_rate
from domain.errors import Invalid
from domain.reading import InexactNumber
from tests.public_cases import answered, differences

Document = dict[str, object]

PER_UNIT: Document = {"model": "per_unit", "unit_amount": "0.002"}
LINE: Document = {"currency": "USD", "price": PER_UNIT, "usage": {"quantity": "1500"}}
STEP: Document = {"step": "unit_amount", "quantity": "1500", "rate": "0.002", "amount": "3"}


def test_the_public_cases() -> None:
    assert differences("rate", answer_rate) == []


def test_an_answer() -> None:
    assert answer_rate(LINE) == {"amount": "3", "rounded": "3.00", "trace": [STEP]}


@pytest.mark.parametrize(("currency", "amount", "rounded"), [
    pytest.param("USD", "1.005",  "1.01",   id="half up"),
    pytest.param("USD", "-1.005", "-1.01",  id="half up is away from zero"),
    pytest.param("USD", "-0.004", "0.00",   id="no negative zero"),
    pytest.param("JPY", "1023.5", "1024",   id="no decimals"),
    pytest.param("KWD", "0.0005", "0.001",  id="three"),
    pytest.param("UYW", "0.00005", "0.0001", id="four"),
    pytest.param("EUR", "9" * 38, "9" * 38 + ".00", id="38 digits"),
])  # fmt: skip
def test_amounts_are_exact_and_rounded_once(currency: str, amount: str, rounded: str) -> None:
    flat = {"model": "flat", "amount": amount}
    answer = answer_rate({**LINE, "currency": currency, "price": flat})
    assert (answer["amount"], answer["rounded"]) == (amount, rounded)


def faults(line: Document) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        answer_rate(line)
    return [(fault.path, fault.message) for fault in refused.value.faults]


PERCENTAGE: Document = {"model": "percentage", "rate": "1"}


@pytest.mark.parametrize(("changed", "paths"), [
    pytest.param({"currency": "usd"},                          ["currency"],            id="a currency in lower case"),
    pytest.param({"currency": None},                           ["currency"],            id="no currency"),
    pytest.param({"price": None},                              ["price"],               id="a null price"),
    pytest.param({"price": {**PER_UNIT, "maximun": "1"}},      ["price.maximun"],       id="a misspelt maximum"),
    pytest.param({"price": {**PER_UNIT, "minimum": InexactNumber("9.99")}}, ["price.minimum"], id="a float"),
    pytest.param({"price": {"model": "graduated", "tiers": [{"up_to": "5"}]}}, ["price.tiers.0.up_to"], id="deep in the price"),
    pytest.param({"usage": None},                              ["usage"],               id="null usage"),
    pytest.param({"usage": {}},                                ["usage"],               id="empty usage"),
    pytest.param({"usage": {"events": []}},                    ["usage"],               id="another shape"),
    pytest.param({"usage": {"events": [{"nonsense": 1}]}},     ["usage"],               id="another shape, whatever is in it"),
    pytest.param({"usage": {"quantity": InexactNumber("0.5")}}, ["usage.quantity"],     id="a float quantity"),
    pytest.param({"price": PERCENTAGE, "usage": {"events": [{}]}}, ["usage.events.0.quantity"], id="an event without quantity"),
    pytest.param({"note": "hello"},                            ["note"],                id="an unknown member"),
    pytest.param({"price": {"model": "flat"}, "usage": {"quantity": "x"}, "currency": "?"}, ["currency", "price.amount", "usage.quantity"], id="all faults at once"),
])  # fmt: skip
def test_faults_have_their_path(changed: Document, paths: list[str]) -> None:
    assert [path for path, _ in faults({**LINE, **changed})] == paths


@pytest.mark.parametrize("missing", ["currency", "price", "usage"])
def test_what_a_line_needs(missing: str) -> None:
    line = {name: value for name, value in LINE.items() if name != missing}
    assert faults(line) == [(missing, "is required")]


def test_prices_that_look_alike_are_told_apart() -> None:
    """Prices are remembered, so the answer to one must never be the answer to another."""
    written = ["1", 1, True, "1.5", InexactNumber("1.5"), "1.0", None]
    outcomes = ["1500", "1500", "refused", "2250", "refused", "1500", "refused"]

    def outcome(unit_amount: object) -> object:
        price = {"model": "per_unit", "unit_amount": unit_amount}
        try:
            return answer_rate({**LINE, "price": price})["amount"]
        except Invalid:
            return "refused"

    assert [outcome(unit_amount) for unit_amount in written] == outcomes
    assert [outcome(unit_amount) for unit_amount in reversed(written)] == outcomes[::-1]


def test_good_lines_go_on_after_bad_ones() -> None:
    answers = answered(
        answer_rate,
        '{"id": "1", "currency": "USD", "price": {"model": "flat", "amount": "1"}, "usage": {"quantity": "0"}}',
        '{"id": "2", "currency": "USD", "price": {"model": "flat", "amount": 1.5}, "usage": {"quantity": "0"}}',
        '{"id": "3", "currency": "USD", "price": {"model": "flat", "amount": "1", "amount": "2"}, "usage": {"quantity": "0"}}',
        '{"id": "4", "currency": "USD", "price": {"model": "flat", "amount": 1}, "usage": {"quantity": NaN}}',
        '{"id": "5", "currency": "USD", "price": {"model": "flat", "amount": 2}, "usage": {"quantity": 0}}',
    )
    assert [answer.get("amount") for answer in answers] == ["1", None, None, None, "2"]
    assert [answer["id"] for answer in answers] == ["1", "2", "3", "4", "5"]


def test_the_command_reads_standard_input_and_ends_well() -> None:
    line = '{"id": 1, "currency": "JPY", "price": {"model": "flat", "amount": "1.5"}, "usage": {"quantity": 0}}\n'
    ran = CliRunner().invoke(app, ["rate"], input=line + "\nnonsense\n")
    first, second = ran.stdout.splitlines()
    assert ran.exit_code == 0
    assert first.startswith('{"id": 1, "amount": "1.5", "rounded": "2", "trace": [')
    assert second.startswith('{"id": null, "error": {"path": "", "message": "is not JSON')
