"""Wrong prices, plans, meters, expressions and events at the doors of the API: each is refused with its path and the
reason, and nothing is stored.
"""

import json
from collections.abc import Mapping, Sequence

import httpx
import pytest

from tests.api.bad_input import a_meter, a_plan, an_event, send, shop, untold

__all__ = ["shop"]

# What is no JSON at all says so for the whole body: `json` of most languages would write some of these.
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "nan", "+1", "01", ".5", "1.", "0x10", "1_000", "--1"]  # fmt: skip
# What is JSON, but no exact number.
FLOATS = ["1.5", "0.1", "1e400", "-1e400", "1E3", "1e-400", "0.0", "1.0", "9" * 30 + ".5"]
# What is text, but no decimal.
TEXTS = ["NaN", "Infinity", "-Infinity", "inf", "1e400", "1e3", "+1", " 1", "1 ", "", "1,5", "1/3", "0x10", "१", "1.", ".5", "9" * 39, "0." + "1" * 39, "9" * 100_000, "-"]  # fmt: skip
# What is a whole number, but longer than any quantity.
HUGE = [str(10**38), "-" + str(10**38), "9" * 4_000]
# What is no number.
OTHERS = ["null", "true", "[]", "{}", '["1"]']

UNTAKEN = [*FLOATS, *map(json.dumps, TEXTS), *HUGE]


@pytest.mark.parametrize("number", [*NO_NUMBERS, "9" * 5_000])
async def test_what_is_no_json_is_refused_whole(shop: httpx.AsyncClient, number: str) -> None:
    price = f'{{"model": "per_unit", "unit_amount": {number}}}'
    doors = [
        ("plans", a_plan(price)),
        ("meters", a_meter(filters=f'[{{"property": "a", "gt": {number}}}]')),
        ("customers", f'{{"key": "globex", "metadata": {{"a": {number}}}}}'),
    ]
    for door, body in doors:
        assert await untold(shop, door, [(body, "")]) == []
    if number != "9" * 5_000:  # that is JSON, and an event's own fault
        assert await untold(shop, "events", [(an_event(number), "")]) == []


async def test_numbers_of_a_price(shop: httpx.AsyncClient) -> None:
    amounts = [*UNTAKEN, *OTHERS]
    places = {
        "unit_amount": '{{"model": "per_unit", "unit_amount": {}}}',
        "tiers.0.up_to": '{{"model": "graduated", "tiers": [{{"up_to": {}}}, {{"up_to": null}}]}}',
        "tiers.0.flat_amount": '{{"model": "volume", "tiers": [{{"up_to": null, "flat_amount": {}}}]}}',
        "package_size": '{{"model": "package", "package_amount": "1", "package_size": {}}}',
        "rate": '{{"model": "percentage", "rate": {}}}',
        "cells.0.unit_amount": '{{"model": "matrix", "dimensions": ["model"], "cells": [{{"match": {{}}, "unit_amount": {}}}]}}',
        "minimum": '{{"model": "flat", "amount": "1", "minimum": {}}}',
        "unit_rate": '{{"model": "flat", "amount": "1", "unit": "credits", "unit_rate": {}}}',
    }
    null_is_absent = ("flat_amount", "minimum")
    null_is_another_fault = ("tiers.0.up_to", "unit_rate")
    cases = [
        (a_plan(price.format(amount)), f"items.0.price.{path}")
        for path, price in places.items()
        for amount in amounts
        if not (amount == "null" and path.endswith(null_is_absent + null_is_another_fault))
    ]
    assert await untold(shop, "plans", cases) == []


async def test_prices_that_make_no_sense(shop: httpx.AsyncClient) -> None:
    def tiers(*bounds: str) -> str:
        each = ", ".join(f'{{"up_to": {bound}}}' for bound in bounds)
        return f'{{"model": "graduated", "tiers": [{each}]}}'

    def matrix(*cells: str, dimensions: str = '["model"]') -> str:
        each = ", ".join(f'{{"match": {cell}, "unit_amount": "1"}}' for cell in cells)
        return f'{{"model": "matrix", "dimensions": {dimensions}, "cells": [{each}]}}'

    prices = [
        ('{"model": "tiered"}', "model"),
        ('{"model": 1.5}', "model"),
        ("{}", "model"),
        ("[]", ""),
        ("1.5", ""),
        ("null", ""),
        ('{"model": "flat", "amount": "1", "maximun": "2"}', "maximun"),
        ('{"model": "flat", "amount": "1", "minimum": "3", "maximum": "2"}', "minimum"),
        ('{"model": "flat", "amount": "1", "discount_percent": "101"}', "discount_percent"),
        ('{"model": "flat", "amount": "1", "unit": "credits"}', "unit_rate"),
        ('{"model": "percentage", "rate": "1", "included": "5"}', "included"),
        ('{"model": "package", "package_size": "0", "package_amount": "1"}', "package_size"),
        (tiers(), "tiers"),
        (tiers('"10"'), "tiers.0.up_to"),
        (tiers('"0"', "null"), "tiers.0.up_to"),
        (tiers('"20"', '"10"', "null"), "tiers.1.up_to"),
        (tiers('"10"', '"10.0"', "null"), "tiers.1.up_to"),
        (tiers(*(f'"{bound}"' for bound in range(1, 10_000)), "null"), "tiers"),
        (matrix('{"colour": "red"}'), "cells.0.match.colour"),
        (matrix('{"model": "a"}', '{"model": "a"}'), "cells.1.match"),
        (matrix('{"model": 1.5}', '{"model": "1.5"}'), "cells.1.match"),
        (matrix('{"model": ["a"]}'), "cells.0.match.model"),
        (matrix(dimensions="[]"), "dimensions"),
        (matrix(*[f'{{"model": "{n}"}}' for n in range(10_000)]), "cells"),
    ]
    cases = [(a_plan(p), f"items.0.price.{path}".rstrip(".")) for p, path in prices]
    assert await untold(shop, "plans", cases) == []


async def test_lines_of_a_plan(shop: httpx.AsyncClient) -> None:
    flat = '{"model": "flat", "amount": "1"}'
    matrix = '{"model": "matrix", "dimensions": ["model"], "cells": []}'
    items = [
        (a_plan(flat, meter='"nothing"'), "items.0.meter"),
        (a_plan(flat, meter=""), "items.0.meter"),
        (a_plan(flat, kind='"usages"'), "items.0.kind"),
        (a_plan(flat, key='"a b"'), "items.0.key"),
        (a_plan(flat, key=f'"{"k" * 201}"'), "items.0.key"),
        (a_plan(flat, charged='"yesterday"'), "items.0.charged"),
        (a_plan(flat, included="1.5"), "items.0.included"),
        (a_plan(flat, quantity='"5"'), "items.0.quantity"),
        (a_plan(flat, colour='"red"'), "items.0.colour"),
        (a_plan(matrix), "items.0.meter"),
        (a_plan(""), "items.0.price"),
    ]
    plan = json.loads(a_plan(flat))
    item = plan["items"][0]
    changed: Sequence[tuple[Mapping[str, object], str]] = (
        ({"currency": "XXX"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "BTC"}, "currency"),
        ({"currency": "US"}, "currency"),
        ({"currency": 840}, "currency"),
        ({"currency": None}, "currency"),
        ({"items": [item, item]}, "items.1.key"),
        ({"items": [item] * 10_000}, "items"),
        ({"items": {}}, "items"),
        ({"items": [[]]}, "items.0"),
        ({"interval": {"unit": "fortnight"}}, "interval.unit"),
        ({"interval": {"unit": "month", "count": 0}}, "interval.count"),
        ({"interval": {"unit": "month", "count": 10**30}}, "interval.count"),
        ({"interval": {"unit": "month", "count": "1"}}, "interval.count"),
        ({"anchor": "2026-02-30T00:00:00Z"}, "anchor"),
        ({"minimum_commitment": "-1"}, "minimum_commitment"),
        (
            {"minimum_commitment": "1", "commitment_overage_factor": "x"},
            "commitment_overage_factor",
        ),
        ({"trial": {"unit": "day", "count": -1}}, "trial.count"),
        ({"credits": [{"key": "c", "amount": "0.001"}]}, "credits.0.amount"),
        ({"entitlements": [{"feature": "no", "type": "boolean"}]}, "entitlements.0.feature"),
        ({"colour": "red"}, "colour"),
    )
    items += [(json.dumps({**plan, **changes}), path) for changes, path in changed]
    assert await untold(shop, "plans", items) == []


async def test_meters(shop: httpx.AsyncClient) -> None:
    cases = [
        (a_meter(key='""'), "key"),
        (a_meter(key='"a b"'), "key"),
        (a_meter(key=""), "key"),
        (a_meter(event_name="7"), "event_name"),
        (a_meter(aggregation='"median"'), "aggregation"),
        (a_meter(aggregation="1.5"), "aggregation"),
        (a_meter(value=""), "value"),
        (a_meter(window='"fortnight"'), "window"),
        (a_meter(window='"hour"', carry_over="true"), "carry_over"),
        (a_meter(aggregation='"avg"', carry_over="true"), "carry_over"),
        (a_meter(carry_over='"yes"'), "carry_over"),
        (a_meter(level='"set"'), "level"),
        (a_meter(percentile='"95"'), "percentile"),
        (a_meter(aggregation='"percentile"'), "percentile"),
        (a_meter(aggregation='"unique_count"', value='"a + b"'), "value"),
        (a_meter(rounding='{"mode": "sideways"}'), "rounding.mode"),
        (a_meter(rounding='{"mode": "up", "scale": 39}'), "rounding.scale"),
        (a_meter(rounding='{"mode": "up", "scale": 1.0}'), "rounding.scale"),
        (a_meter(rounding='{"mode": "up", "scale": 1e400}'), "rounding.scale"),
        (a_meter(rounding=f'{{"mode": "up", "scale": {10**1000}}}'), "rounding.scale"),
        (a_meter(group_by='["model", "model"]'), "group_by.1"),
        (a_meter(group_by="[" + ", ".join(f'"d{n}"' for n in range(10_000)) + "]"), "group_by"),
        (a_meter(group_by='["a..b"]'), "group_by.0"),
        (a_meter(filters='[{"property": "a"}]'), "filters.0"),
        (a_meter(filters='[{"property": "a", "like": "b"}]'), "filters.0.like"),
        (a_meter(filters='[{"property": "a", "in": "b"}]'), "filters.0.in"),
        (a_meter(filters='[{"property": "a", "in": [1.5]}]'), "filters.0.in.0"),
        (a_meter(filters='[{"property": "a", "exists": 1}]'), "filters.0.exists"),
        (a_meter(filters='[{"in": ["b"]}]'), "filters.0.property"),
        (a_meter(filters="[" + '{"property": "a", "in": ["b"]},' * 9_999 + "{}]"), "filters"),
        (a_meter(colour='"red"'), "colour"),
    ]
    cases += [
        (a_meter(filters=f'[{{"property": "a", "gt": {number}}}]'), "filters.0.gt")
        for number in UNTAKEN
    ]
    cases += [
        (a_meter(aggregation='"percentile"', percentile=number), "percentile")
        for number in [*UNTAKEN, "101", "-1"]
    ]
    assert await untold(shop, "meters", cases) == []


async def test_expressions(shop: httpx.AsyncClient) -> None:
    expressions = [
        "a / b",
        "a ** b",
        "a b",
        "a +",
        "+ a",
        "* a",
        "(a",
        "a)",
        "()",
        "a..b",
        ".a",
        "a.",
        "1e400",
        "1.5.5",
        "1.",
        "f(a)",
        "__import__('os').system('true')",
        "a if b else c",
        "a; b",
        "a == b",
        "[a]",
        '["a',
        "a\\u0000b",
        "9" * 39,
        "0." + "1" * 39,
        " + ".join(["a"] * 51),
        "*".join(["a"] * 1_000),
        "(" * 21 + "a" + ")" * 21,
        "(" * 1_000 + "a" + ")" * 1_000,
        "-" * 1_000 + "a",
        "a" * 2_001,
        ".".join("a" * 11),
        " ",
        "",
    ]
    written = [
        '"' + each.replace('"', '\\"') + '"' if "\\u" in each else json.dumps(each)
        for each in expressions
    ]
    cases = [(a_meter(value=each), "value") for each in [*written, "7", "1.5", "[]", "{}"]]
    assert await untold(shop, "meters", cases) == []


async def test_events(shop: httpx.AsyncClient) -> None:
    """A bad event is named in the answer, since the others of its batch are kept."""
    deep = '{"a": ' * 20 + "{}" + "}" * 20
    cases = [
        *[(an_event(number), "properties.tokens") for number in [*UNTAKEN, *OTHERS]],
        (an_event("9" * 4_299), "properties.tokens"),
        (an_event('"1"', id="1.5"), "id"),
        (an_event('"1"', id=f'"{"e" * 201}"'), "id"),
        (an_event('"1"', id='"a\\u0000"'), "id"),
        (an_event('"1"', event_name="{}"), "event_name"),
        (an_event('"1"', customer='"nobody"'), "customer"),
        (an_event('"1"', time='"2026-02-30T00:00:00Z"'), "time"),
        (an_event('"1"', time="1e400"), "time"),
        (an_event('"1"', properties="[]"), "properties"),
        (an_event('"1"', properties=f'{{"tokens": "1", "deep": {deep}}}'), f"properties.deep{'.a' * 19}"),
        (an_event('"1"', properties='{"tokens": "1", "list": [1, [2.5]]}'), "properties.list.1.0"),
        (an_event('"1"', quantity='"1"'), "quantity"),
    ]  # fmt: skip
    wrong: list[object] = []
    for body, path in cases:
        response = await send(shop, "events", body)
        answer = response.json()
        told = [(each["path"], bool(each["message"])) for each in answer.get("rejected", ())]
        if told != [(path, True)] or answer["accepted"] or answer["duplicates"]:
            wrong.append((body[:200], path, answer))
    assert wrong == []
