"""Laws of prices, whatever the price and the usage."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction as F
from itertools import accumulate, pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.decimals import plain
from domain.errors import Invalid
from domain.exact import as_fraction
from domain.pricing.overlaps import ambiguous_cells
from domain.pricing.price import Price, read_price
from domain.pricing.usage import Events, Groups, Quantity, Usage, read_usage
from domain.rating import rate

Document = dict[str, object]


def written(
    required: Mapping[str, st.SearchStrategy[object]], **optional: st.SearchStrategy[object]
) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries(dict(required), optional=optional)


def decimals(lowest: int, highest: int, places: int = 6) -> st.SearchStrategy[F]:
    """Exact decimals, and often whole ones that are likely to meet."""
    scale = 10**places
    fine = st.integers(lowest * scale, highest * scale).map(lambda units: F(units, scale))
    few = max(lowest, -10)
    return st.integers(few, min(highest, few + 20)).map(F) | fine


quantities = decimals(0, 10**9)
rates = decimals(0, 1000)
signed_rates = decimals(-1000, 1000)
amounts = rates.map(plain)
signed_amounts = signed_rates.map(plain)
positive_amounts = rates.filter(bool).map(plain)


@st.composite
def tiers(draw: st.DrawFn, rate: st.SearchStrategy[str], name: str) -> list[Document]:
    widths = draw(st.lists(decimals(0, 10**6, 3).filter(bool), max_size=6))
    bounds = [plain(bound) for bound in accumulate(widths)]
    return [
        {"up_to": bound, name: draw(rate), "flat_amount": draw(rate)} for bound in (*bounds, None)
    ]


def of_tiers(
    model: str, rate: st.SearchStrategy[str] = amounts, name: str = "unit_amount"
) -> st.SearchStrategy[Document]:
    return written(
        {"model": st.just(model), "tiers": tiers(rate, name), "flat_on_zero": st.booleans()}
    )


graduated = of_tiers("graduated")
signed_graduated = of_tiers("graduated", signed_amounts)
graduated_percentages = of_tiers("graduated_percentage", amounts, "rate")
packages = written(
    {
        "model": st.just("package"),
        "package_size": positive_amounts,
        "package_amount": amounts,
        "free_units": amounts,
        "round": st.sampled_from(["up", "down"]),
    }
)
percentages = written(
    {"model": st.just("percentage"), "rate": amounts},
    fixed_amount=amounts,
    free_events=st.integers(0, 5),
    free_amount=amounts,
    minimum_per_event=amounts,
    maximum_per_event=amounts,
)
cells = written({"match": written({"a": st.sampled_from("xyz")}), "unit_amount": signed_amounts})
matrices = written(
    {
        "model": st.just("matrix"),
        "dimensions": st.just(["a", "b"]),
        "cells": st.lists(cells, unique_by=lambda cell: str(cell["match"])),
        "default_unit_amount": signed_amounts,
    }
)
of_a_quantity = st.one_of(
    written({"model": st.just("flat"), "amount": signed_amounts}),
    written({"model": st.just("per_unit"), "unit_amount": signed_amounts}),
    packages,
    signed_graduated,
    of_tiers("volume", signed_amounts),
    of_tiers("graduated_percentage", signed_amounts, "rate"),
)
adjustments = st.one_of(
    written(
        {},
        discount_percent=st.integers(0, 100),
        minimum=decimals(0, 100).map(plain),
        maximum=decimals(100, 10_000).map(plain),
    ),
    written({"unit": st.just("credits"), "unit_rate": positive_amounts}),
)

a_quantity = written({"quantity": quantities.map(plain)})
events = written(
    {
        "events": st.lists(
            amounts.map(lambda amount: {"quantity": amount, "amount": amount}), max_size=8
        )
    }
)
groups = written(
    {
        "groups": st.lists(
            written(
                {
                    "key": written({"a": st.sampled_from("xyzw"), "b": st.none()}),
                    "quantity": signed_amounts,
                }
            ),
            max_size=8,
        )
    }
)

Rating = tuple[Price, Usage]


def made(
    prices: st.SearchStrategy[Document], usages: st.SearchStrategy[Document]
) -> st.SearchStrategy[Rating]:
    return st.tuples(prices, adjustments, usages).map(
        lambda drawn: (read_price({**drawn[0], **drawn[1]}), read_usage(drawn[2]))
    )


quantity_ratings = made(of_a_quantity, a_quantity)
ratings = st.one_of(
    quantity_ratings,
    made(percentages, events),
    made(written({"model": st.just("dynamic")}, multiplier=signed_amounts), events),
    made(matrices, groups),
)


@given(ratings)
def test_the_trace_adds_up(rating: Rating) -> None:
    rated = rate(*rating)
    assert sum((as_fraction(step.amount) for step in rated.trace), F(0)) == rated.amount
    for step in rated.trace:
        if step.quantity is not None and step.rate is not None:
            assert as_fraction(step.quantity) * as_fraction(step.rate) == step.amount


@given(ratings)
def test_the_amount_is_between_minimum_and_maximum(rating: Rating) -> None:
    price, usage = rating
    worth = F(1) if price.unit_rate is None else as_fraction(price.unit_rate)
    amount = rate(price, usage).amount
    assert price.minimum is None or amount >= as_fraction(price.minimum) * worth
    assert price.maximum is None or amount <= as_fraction(price.maximum) * worth


@given(ratings, decimals(0, 100, 2))
def test_a_discount_takes_its_part_of_the_model(rating: Rating, percent: F) -> None:
    price, usage = rating
    bare = replace(price, discount_percent=F(0), minimum=None, maximum=None)
    discounted = replace(bare, discount_percent=percent)
    assert rate(discounted, usage).amount == rate(bare, usage).amount * (100 - percent) / 100


@given(ratings, rates.filter(bool))
def test_a_custom_unit_is_worth_its_rate(rating: Rating, unit_rate: F) -> None:
    price, usage = rating
    in_currency = replace(price, unit=None, unit_rate=None)
    in_units = replace(price, unit="credits", unit_rate=unit_rate)
    assert rate(in_units, usage).amount == rate(in_currency, usage).amount * unit_rate


@given(quantity_ratings, decimals(0, 10**6))
def test_included_units_come_off_before_the_model(rating: Rating, included: F) -> None:
    price, usage = rating
    assert isinstance(usage, Quantity)
    beyond = Quantity(max(usage.total - included, F(0)))
    assert rate(replace(price, included=included), usage).amount == rate(price, beyond).amount


@given(graduated | graduated_percentages, quantities)
def test_tiers_neither_lose_nor_invent_units(document: Document, quantity: F) -> None:
    trace = rate(read_price(document), Quantity(quantity)).trace
    assert sum((as_fraction(step.quantity or F(0)) for step in trace), F(0)) == quantity


def in_tiers(document: Document, quantity: F) -> F:
    """What tiers charge, counted the long way: every tier asked for its overlap with the quantity."""
    amount, start = F(0), F(0)
    for tier in document["tiers"]:  # type: ignore[attr-defined]  # a list of tiers
        end = max(quantity, start) if tier["up_to"] is None else F(tier["up_to"])
        if quantity > start:
            amount += (min(quantity, end) - start) * F(tier["unit_amount"]) + F(tier["flat_amount"])
        start = end
    return amount


@given(signed_graduated, quantities.filter(bool))
def test_graduated_is_the_sum_over_all_tiers(document: Document, quantity: F) -> None:
    assert rate(read_price(document), Quantity(quantity)).amount == in_tiers(document, quantity)


@given(graduated | graduated_percentages | packages, adjustments, quantities, quantities)
def test_using_more_never_costs_less(
    document: Document, adjusted: Document, some: F, more: F
) -> None:
    """Whatever is included, discounted, capped or due at least."""
    price = read_price({**document, "included": "5", **adjusted})
    some, more = sorted((some, more))
    assert rate(price, Quantity(some)).amount <= rate(price, Quantity(more)).amount


@given(signed_graduated, quantities)
def test_volume_is_graduated_within_the_first_tier(document: Document, quantity: F) -> None:
    bounds = read_price(document).model.tiers.bounds  # type: ignore[union-attr]  # a price of tiers
    assume(not bounds or quantity <= bounds[0])
    volume = read_price({**document, "model": "volume"})
    graduated = read_price(document)
    assert rate(volume, Quantity(quantity)).amount == rate(graduated, Quantity(quantity)).amount


@given(signed_graduated, decimals(0, 10**6).filter(bool), quantities)
def test_a_bound_between_equal_tiers_changes_nothing(
    document: Document, at: F, quantity: F
) -> None:
    tiers: list[Document] = document["tiers"]  # type: ignore[assignment]  # a list of tiers
    bounds = [F(str(tier["up_to"])) for tier in tiers[:-1]]
    assume(at not in bounds)
    index = sum(bound < at for bound in bounds)
    halves = [{**tiers[index], "up_to": plain(at)}, {**tiers[index], "flat_amount": "0"}]
    split = {**document, "tiers": [*tiers[:index], *halves, *tiers[index + 1 :]]}
    whole = rate(read_price(document), Quantity(quantity)).amount
    assert rate(read_price(split), Quantity(quantity)).amount == whole


@given(packages, quantities)
def test_packages_cover_what_is_not_free(document: Document, quantity: F) -> None:
    size = F(str(document["package_size"]))
    charged = max(quantity - F(str(document["free_units"])), F(0))
    [step] = rate(read_price(document), Quantity(quantity)).trace
    assert step.quantity is not None
    missing = as_fraction(step.quantity) * size - charged
    assert 0 <= missing < size if document["round"] == "up" else -size < missing <= 0


@given(percentages, events)
def test_percentages_are_of_each_event_by_itself(document: Document, usage: Document) -> None:
    """Without an allowance, an event costs the same wherever it comes."""
    document = {name: value for name, value in document.items() if not name.startswith("free")}
    price, whole = read_price(document), read_usage(usage)
    assert isinstance(whole, Events)
    one_by_one = sum((rate(price, Events((event,))).amount for event in whole.events), F(0))
    assert rate(price, whole).amount == one_by_one


@given(percentages, events)
def test_an_allowance_never_costs_anything(document: Document, usage: Document) -> None:
    without = {name: value for name, value in document.items() if not name.startswith("free")}
    read = read_usage(usage)
    assert rate(read_price(document), read).amount <= rate(read_price(without), read).amount


@given(percentages, events)
def test_events_are_charged_as_they_arrive(document: Document, usage: Document) -> None:
    """What later events bring does not change what earlier ones cost: each adds, none takes back."""
    price, whole = read_price(document), read_usage(usage)
    assert isinstance(whole, Events)
    running = [
        rate(price, Events(whole.events[:count])).amount for count in range(len(whole.events) + 1)
    ]
    assert all(before <= after for before, after in pairwise(running))


@given(matrices, groups)
def test_groups_are_charged_one_by_one_in_any_order(document: Document, usage: Document) -> None:
    price, whole = read_price(document), read_usage(usage)
    assert isinstance(whole, Groups)
    one_by_one = sum((rate(price, Groups((group,))).amount for group in whole.groups), F(0))
    assert rate(price, whole).amount == one_by_one
    assert rate(price, Groups(whole.groups[::-1])).amount == one_by_one


keys = [{"a": a, "b": b, "c": c} for a in "xyz" for b in "xyz" for c in "xyz"]
some_cells = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3),
    max_size=6,
    unique_by=lambda match: str(sorted(match.items())),
)


@given(some_cells)
def test_cells_are_ambiguous_where_a_key_finds_two_of_them(matches: list[Document]) -> None:
    """What is refused when a plan is made is what would fail when it is billed, and nothing else."""
    cells = [{"match": match, "unit_amount": "1"} for match in matches]
    matrix = {"model": "matrix", "dimensions": ["a", "b", "c"], "default_unit_amount": "1"}
    price = read_price({**matrix, "cells": cells})
    failing = [key for key in keys if not _charges(price, key)]
    assert bool(ambiguous_cells(price.model.cells)) == bool(failing)  # type: ignore[union-attr]  # a matrix


def _charges(price: Price, key: Mapping[str, str]) -> bool:
    try:
        rate(price, read_usage({"groups": [{"key": key, "quantity": "1"}]}))
    except Invalid:
        return False
    return True


@given(quantities | signed_rates)
def test_what_is_written_is_read_again(number: F) -> None:
    read = read_usage({"quantity": plain(number)})
    assert read == Quantity(number)
