"""Cells of a matrix that one key can match and of which neither is the more specific: two prices for one thing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice

from domain.pricing.matrix import Cell

Key = Mapping[str, str | None]
Cells = list[tuple[int, Key]]  # each with its place in the price

MOST_TOLD = 20


def ambiguous_cells(cells: Sequence[Cell]) -> list[tuple[int, int]]:
    """The places of two cells, the first few of such pairs. A pair is none where a third cell, more specific than both,
    prices every key that both can match.
    """
    return list(islice(_ambiguous(cells), MOST_TOLD))


def _ambiguous(cells: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    patterns: dict[frozenset[str], Cells] = defaultdict(list)
    for index, cell in enumerate(cells):
        key = dict(cell.match)
        patterns[frozenset(key)].append((index, key))
    for one, other in combinations(patterns, 2):
        if len(one) != len(other):
            continue
        closer = _more_specific(patterns, one | other, len(one))
        for (a, first), (b, second) in _meeting(patterns[one], patterns[other], one & other):
            both = {**first, **second}
            if not any(key.items() <= both.items() for key in closer):
                yield min(a, b), max(a, b)


def _meeting(
    ones: Cells, others: Cells, shared: frozenset[str]
) -> Iterator[tuple[tuple[int, Key], tuple[int, Key]]]:
    """The pairs of cells that agree on what both name."""
    names = sorted(shared)
    by_values: dict[tuple[str | None, ...], Cells] = defaultdict(list)
    for other in others:
        by_values[tuple(other[1][name] for name in names)].append(other)
    for one in ones:
        for other in by_values[tuple(one[1][name] for name in names)]:
            yield one, other


def _more_specific(
    patterns: Mapping[frozenset[str], Cells], names: frozenset[str], size: int
) -> list[Key]:
    """The cells that name more than `size` dimensions, and none but these."""
    return [
        key
        for pattern, cells in patterns.items()
        if len(pattern) > size and pattern <= names
        for _, key in cells
    ]
