from collections.abc import Mapping
from fractions import Fraction as F

import pytest

from domain.errors import Invalid
from domain.metering.expressions import Number, Operation, evaluate, read_expression
from domain.metering.properties import Property, read_property
from domain.reading import InexactNumber

EVENT: Mapping[str, object] = {
    "input": "100",
    "output": 20,
    "small": "0.000000000001",
    "credit": "-7",
    "usage": {"total": "3.5", "by model": {"large": 2}},
    "input-tokens": "9",
    "gen_ai.tokens": "11",
    "_x1": "1",
}


@pytest.mark.parametrize(("text", "value"), [
    pytest.param("input",                             F(100),                id="a property"),
    pytest.param("usage.total",                       F("3.5"),              id="a property of an object"),
    pytest.param('usage["by model"].large',           F(2),                  id="a quoted name on the way"),
    pytest.param('["input-tokens"]',                  F(9),                  id="a name with a dash"),
    pytest.param('["gen_ai.tokens"]',                 F(11),                 id="a name with a dot"),
    pytest.param('["usage"]["total"]',                F("3.5"),              id="all quoted"),
    pytest.param("_x1",                               F(1),                  id="letters, digits, underscores"),
    pytest.param("input + 4 * output",                F(180),                id="times before plus"),
    pytest.param("4 * output + input",                F(180),                id="in either order"),
    pytest.param("(input + output) * 2",              F(240),                id="parentheses"),
    pytest.param("input - output - 1",                F(79),                 id="minus from the left"),
    pytest.param("input - (output - 1)",              F(81),                 id="minus a parenthesis"),
    pytest.param("input-output",                      F(80),                 id="without spaces a dash is a minus"),
    pytest.param("-input + 1",                        F(-99),                id="a sign"),
    pytest.param("2 * -output",                       F(-40),                id="a sign after times"),
    pytest.param("--output",                          F(20),                 id="two signs"),
    pytest.param("input * 0.001",                     F("0.1"),              id="a decimal instead of a division"),
    pytest.param("small * small",                     F(1, 10**24),          id="exact, however small"),
    pytest.param("credit * credit",                   F(49),                 id="negative values"),
    pytest.param(" \t\n( input )\r ",                 F(100),                id="white space"),
    pytest.param("007",                               F(7),                  id="a constant with zeros before it"),
    pytest.param("0 * input",                         F(0),                  id="nothing"),
    pytest.param("(" * 20 + "input" + ")" * 20,       F(100),                id="twenty parentheses"),
    pytest.param(" + ".join(["output"] * 50),         F(1000),               id="fifty operands"),
])  # fmt: skip
def test_evaluate(text: str, value: F) -> None:
    assert evaluate(read_expression(text), EVENT) == value


def test_an_expression_is_a_frozen_tree() -> None:
    output = Operation("*", Number(F(4)), Property(("output",)))
    tree = Operation("+", Property(("input",)), output)
    assert read_expression("input + 4 * output") == tree
    assert hash(read_expression("input+4*output")) == hash(tree)


@pytest.mark.parametrize(("text", "because"), [
    pytest.param("",                               "characters",            id="nothing"),
    pytest.param("   ",                            "its end where",         id="only spaces"),
    pytest.param("(input",                         r"operator or \)",       id="an open parenthesis"),
    pytest.param("input)",                         r"has \) where",         id="a parenthesis too many"),
    pytest.param("()",                             r"has \) where",         id="an empty parenthesis"),
    pytest.param("input output",                   "has output where",      id="no operator"),
    pytest.param("2input",                         "has input where",       id="a number grown together with a name"),
    pytest.param("1e3",                            "has e3 where",          id="an exponent"),
    pytest.param("input +",                        "its end where",         id="no right side"),
    pytest.param("* input",                        r"has \* where",         id="no left side"),
    pytest.param("+input",                         r"has \+ where",         id="a plus as a sign"),
    pytest.param("input ** 2",                     r"has \* where",         id="a power"),
    pytest.param("input / 2",                      "cannot divide",         id="a division"),
    pytest.param("/ 2",                            "cannot divide",         id="a division of nothing"),
    pytest.param("input // 2",                     "cannot divide",         id="a whole division"),
    pytest.param("input % 2",                      "has % where",           id="a remainder"),
    pytest.param("max(input, output)",             r"has \( where",         id="a function"),
    pytest.param("__import__('os').system('id')",  r"has \( where",         id="somebody's code"),
    pytest.param("input if output else 0",         "has if where",          id="a condition"),
    pytest.param("input, output",                  "has , where",           id="two values"),
    pytest.param(".5 * input",                     r"has \. where",         id="a decimal without a zero"),
    pytest.param("5. * input",                     r"has \. where",         id="a decimal without an end"),
    pytest.param("1.2.3",                          r"has \. where",         id="a decimal with two points"),
    pytest.param("1_000",                          "has _000 where",        id="a decimal with an underscore"),
    pytest.param("１",                              "has １ where",           id="a digit of another script"),
    pytest.param("größe",                          "has ö where",           id="a letter to quote"),
    pytest.param("usage.",                         r"has \. where",         id="a path without an end"),
    pytest.param("usage..total",                   r"has \. where",         id="a path with a hole"),
    pytest.param('["input',                        r"has \[ where",         id="an open quote"),
    pytest.param('[""]',                           r"has \[ where",         id="an empty quote"),
    pytest.param("[0]",                            r"has \[ where",         id="an index"),
    pytest.param("9" * 39,                         "38 digits",             id="a number with too many digits"),
    pytest.param("(" * 21 + "input" + ")" * 21,    "20 parentheses deep",   id="too many parentheses"),
    pytest.param("-" * 21 + "input",               "20 parentheses deep",   id="too many signs"),
    pytest.param("(" * 1_999,                      "20 parentheses deep",   id="as many parentheses as text may have"),
    pytest.param(" * ".join(["output"] * 51),      "50 operands",           id="too many operands"),
    pytest.param("x" * 2_001,                      "characters",            id="too much text"),
    pytest.param(".".join("abcdefghijk"),          "10 names deep",         id="a path that is too deep"),
    pytest.param(InexactNumber("1.5"),             "text",                  id="a number instead of text"),
    pytest.param(5,                                "text",                  id="a whole number instead of text"),
    pytest.param(["input"],                        "text",                  id="a list"),
])  # fmt: skip
def test_what_is_no_expression(text: object, because: str) -> None:
    with pytest.raises(Invalid, match=because) as refused:
        read_expression(text)
    assert refused.value.faults[0].path == ""


@pytest.mark.parametrize(("text", "properties", "path"), [
    pytest.param("tokens",          {},                                   "properties.tokens",       id="missing"),
    pytest.param("tokens",          {"tokens": None},                     "properties.tokens",       id="null"),
    pytest.param("tokens",          {"tokens": ""},                       "properties.tokens",       id="empty"),
    pytest.param("tokens",          {"tokens": "ten"},                    "properties.tokens",       id="a word"),
    pytest.param("tokens",          {"tokens": "1_000"},                  "properties.tokens",       id="an underscore"),
    pytest.param("tokens",          {"tokens": "1,5"},                    "properties.tokens",       id="a comma"),
    pytest.param("tokens",          {"tokens": " 1"},                     "properties.tokens",       id="a space"),
    pytest.param("tokens",          {"tokens": "+1"},                     "properties.tokens",       id="a plus"),
    pytest.param("tokens",          {"tokens": "1e3"},                    "properties.tokens",       id="an exponent"),
    pytest.param("tokens",          {"tokens": "NaN"},                    "properties.tokens",       id="not a number"),
    pytest.param("tokens",          {"tokens": "Infinity"},               "properties.tokens",       id="without end"),
    pytest.param("tokens",          {"tokens": "9" * 39},                 "properties.tokens",       id="too many digits"),
    pytest.param("tokens",          {"tokens": 10**38},                   "properties.tokens",       id="too many digits in a number"),
    pytest.param("tokens",          {"tokens": InexactNumber("1.5")},     "properties.tokens",       id="a float"),
    pytest.param("tokens",          {"tokens": 1.5},                      "properties.tokens",       id="a float of Python"),
    pytest.param("tokens",          {"tokens": True},                     "properties.tokens",       id="true is not 1"),
    pytest.param("tokens",          {"tokens": {"a": "1"}},               "properties.tokens",       id="an object"),
    pytest.param("tokens",          {"tokens": ["1"]},                    "properties.tokens",       id="a list"),
    pytest.param("usage.total",     {"usage.total": "1"},                 "properties.usage.total",  id="a dot is a path"),
    pytest.param("usage.total",     {"usage": "1"},                       "properties.usage.total",  id="not an object on the way"),
    pytest.param("input + output",  {"input": "1"},                       "properties.output",       id="the second of two"),
    pytest.param("0 * tokens",      {},                                   "properties.tokens",       id="nothing times something missing"),
])  # fmt: skip
def test_a_value_is_never_made_up(text: str, properties: Mapping[str, object], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        evaluate(read_expression(text), properties)
    assert refused.value.faults[0].path == path


@pytest.mark.parametrize(("text", "path"), [
    pytest.param("region",              ("region",),              id="a name"),
    pytest.param("usage.kind",          ("usage", "kind"),        id="a path"),
    pytest.param("input-tokens",        ("input-tokens",),        id="a dash is no minus here"),
    pytest.param("größe in cm",         ("größe in cm",),         id="any letters"),
    pytest.param('["gen_ai.model"]',    ("gen_ai.model",),        id="a name with a dot"),
    pytest.param('a["b.c"].d',          ("a", "b.c", "d"),        id="a quoted name on the way"),
])  # fmt: skip
def test_read_property(text: str, path: tuple[str, ...]) -> None:
    assert read_property(text) == Property(path)


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", '["a', '[""]', 'a["b"]c', "a[0]", 5, None, ["a"]]
)
def test_what_is_no_property(text: object) -> None:
    with pytest.raises(Invalid):
        read_property(text)
