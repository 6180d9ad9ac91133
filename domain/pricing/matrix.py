"""Each group of a meter at the rate of its cell: the one that matches the most dimensions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from domain.decimals import Exact
from domain.errors import Fault, Invalid
from domain.exact import ZERO, as_exact, plus
from domain.pricing.figures import figure
from domain.pricing.steps import Step, charged
from domain.pricing.usage import Group, Groups, dimension_values
from domain.reading import MOST_FAULTS, Fields, list_of, text

MOST_DIMENSIONS = 20
MOST_CELLS = 1_000
MOST_TOLD = 10
LONGEST_TOLD = 100

Match = tuple[tuple[str, str | None], ...]
Place = tuple[int, Group]  # a group and where it is among all
Pattern = tuple[tuple[str, ...], dict[tuple[str | None, ...], int]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A rate for the groups whose key has all of `match`, sorted by dimension."""

    match: Match
    unit_amount: Decimal


@dataclass(frozen=True, slots=True)
class Matrix:
    """`beyond` prices the groups that this one has no price for, where there is one."""

    dimensions: tuple[str, ...]
    cells: tuple[Cell, ...]
    default_unit_amount: Decimal | None
    patterns: tuple[Pattern, ...]
    beyond: "Matrix | None" = None

    def charge(self, usage: Groups) -> list[Step]:
        """Charge the groups cell by cell. A group without a cell and a default is refused, never billed as 0;
        so is one with two cells of which neither is the more specific.
        """
        steps, unpriced = self._charge(enumerate(usage.groups))
        beyond, prefix = self.beyond, "beyond."
        while unpriced and beyond is not None:
            more, unpriced = beyond._charge(unpriced)
            steps += [step._replace(step=prefix + step.step) for step in more]
            beyond, prefix = beyond.beyond, prefix + "beyond."
        if unpriced:
            raise Invalid(
                Fault(
                    f"usage.groups.{index}", f"{_told(group)} has no cell, and there is no default"
                )
                for index, group in unpriced[:MOST_TOLD]
            )
        return steps

    def _charge(self, groups: Iterable[Place]) -> tuple[list[Step], list[Place]]:
        """The steps of the groups that this matrix itself has a price for, and the others."""
        in_cell: dict[int, Exact] = {}
        in_none: Exact = ZERO
        unpriced: list[Place] = []
        for index, group in groups:
            cell = _cell_of(group, self.patterns, index)
            if cell is not None:
                in_cell[cell] = plus(in_cell.get(cell, ZERO), as_exact(group.quantity))
            elif self.default_unit_amount is None:
                unpriced.append((index, group))
            else:
                in_none = plus(in_none, as_exact(group.quantity))
        return list(self._steps(in_cell, in_none)), unpriced

    def _steps(self, in_cell: dict[int, Exact], in_none: Exact) -> Iterator[Step]:
        for index, quantity in sorted(in_cell.items()):
            yield charged(f"cells.{index}.unit_amount", quantity, self.cells[index].unit_amount)
        if self.default_unit_amount is not None and in_none:
            yield charged("default_unit_amount", in_none, self.default_unit_amount)


def read_matrix(fields: Fields) -> Matrix:
    dimensions = fields.required("dimensions", _read_dimensions)
    cells = fields.required("cells", list_of(_read_cell, MOST_CELLS))
    if dimensions and cells:  # where both could be read
        for fault in islice(_misplaced_matches(dimensions, cells), MOST_FAULTS):
            fields.refuse(fault.path, fault.message)
    default = fields.nullable("default_unit_amount", figure)
    return Matrix(dimensions, cells, default, _patterns(cells or ()))


def _patterns(cells: tuple[Cell, ...]) -> tuple[Pattern, ...]:
    """Cells by the dimensions they match, the most dimensions first: a group is looked up, not searched."""
    patterns: dict[tuple[str, ...], dict[tuple[str | None, ...], int]] = defaultdict(dict)
    for index, cell in enumerate(cells):
        names = tuple([name for name, _ in cell.match])
        patterns[names][tuple([value for _, value in cell.match])] = index
    return tuple(sorted(patterns.items(), key=lambda pattern: -len(pattern[0])))


def _told(group: Group) -> str:
    """A group's key, for whoever must find a price for it."""
    named = (
        f"{name}={'(none)' if value is None else value[:LONGEST_TOLD]}" for name, value in group.key
    )
    return ", ".join(named) or "usage without dimensions"


def _cell_of(group: Group, patterns: tuple[Pattern, ...], index: int) -> int | None:
    key = dict(group.key)
    found, size = None, 0
    for names, cells in patterns:
        if found is not None and len(names) < size:
            break
        cell = cells.get(tuple(map(key.get, names)))
        if cell is None:
            continue
        if found is not None:
            raise Invalid.at(
                f"usage.groups.{index}",
                f"is matched by cells {found} and {cell}, neither more specific",
            )
        found, size = cell, len(names)
    return found


def _read_dimensions(value: object) -> tuple[str, ...]:
    dimensions = list_of(text, MOST_DIMENSIONS)(value)
    if not dimensions:
        raise Invalid.at("", "must have at least one dimension")
    for index, name in enumerate(dimensions):
        if name in dimensions[:index]:
            raise Invalid.at(str(index), "is there twice")
    return dimensions


def _read_cell(value: object) -> Cell:
    fields = Fields(value)
    cell = Cell(
        fields.required("match", dimension_values),
        fields.required("unit_amount", figure),
    )
    fields.done()
    return cell


def _misplaced_matches(dimensions: tuple[str, ...], cells: tuple[Cell, ...]) -> Iterator[Fault]:
    first: dict[Match, int] = {}
    for index, cell in enumerate(cells):
        for name, _ in cell.match:
            if name not in dimensions:
                yield Fault(f"cells.{index}.match.{name}", "is not one of the dimensions")
        if first.setdefault(cell.match, index) != index:
            yield Fault(f"cells.{index}.match", f"is matched by cell {first[cell.match]} already")
