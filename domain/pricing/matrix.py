"""Each group of a meter at the rate of its cell: the one that matches the most dimensions."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from domain.errors import Fault, Invalid
from domain.pricing.steps import ZERO, Step, charged
from domain.pricing.usage import Group, Groups, dimension_values
from domain.reading import Fields, decimal, list_of, text

MOST_DIMENSIONS = 20
MOST_CELLS = 1_000

Match = tuple[tuple[str, str | None], ...]
Pattern = tuple[tuple[str, ...], dict[tuple[str | None, ...], int]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A rate for the groups whose key has all of `match`, sorted by dimension."""

    match: Match
    unit_amount: Fraction


@dataclass(frozen=True, slots=True)
class Matrix:
    dimensions: tuple[str, ...]
    cells: tuple[Cell, ...]
    default_unit_amount: Fraction | None

    def charge(self, usage: Groups) -> list[Step]:
        """Charge the groups cell by cell. A group without a cell and a default is refused, never billed as 0;
        so is one with two cells of which neither is the more specific.
        """
        patterns = _patterns(self.cells)
        in_cell: dict[int, Fraction] = defaultdict(Fraction)
        in_none = ZERO
        for index, group in enumerate(usage.groups):
            cell = _cell_of(group, patterns, f"usage.groups.{index}")
            if cell is not None:
                in_cell[cell] += group.quantity
            elif self.default_unit_amount is None:
                raise Invalid.at(f"usage.groups.{index}", "has no cell, and there is no default")
            else:
                in_none += group.quantity
        return list(self._steps(in_cell, in_none))

    def _steps(self, in_cell: dict[int, Fraction], in_none: Fraction) -> Iterator[Step]:
        for index, quantity in sorted(in_cell.items()):
            yield charged(f"cells.{index}.unit_amount", quantity, self.cells[index].unit_amount)
        if self.default_unit_amount is not None and in_none:
            yield charged("default_unit_amount", in_none, self.default_unit_amount)


def read_matrix(fields: Fields) -> Matrix:
    dimensions = fields.required("dimensions", _read_dimensions)
    cells = fields.required("cells", list_of(_read_cell, MOST_CELLS))
    if dimensions and cells:  # where both could be read
        for fault in _misplaced_matches(dimensions, cells):
            fields.refuse(fault.path, fault.message)
    return Matrix(dimensions, cells, fields.nullable("default_unit_amount", decimal))


def _patterns(cells: tuple[Cell, ...]) -> list[Pattern]:
    """Cells by the dimensions they match, the most dimensions first: a group is looked up, not searched."""
    patterns: dict[tuple[str, ...], dict[tuple[str | None, ...], int]] = defaultdict(dict)
    for index, cell in enumerate(cells):
        names = tuple(name for name, _ in cell.match)
        patterns[names][tuple(value for _, value in cell.match)] = index
    return sorted(patterns.items(), key=lambda pattern: -len(pattern[0]))


def _cell_of(group: Group, patterns: list[Pattern], path: str) -> int | None:
    key = dict(group.key)
    found, size = None, 0
    for names, cells in patterns:
        if found is not None and len(names) < size:
            break
        cell = cells.get(tuple(key.get(name) for name in names))
        if cell is None:
            continue
        if found is not None:
            raise Invalid.at(path, f"is matched by cells {found} and {cell}, neither more specific")
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
        fields.required("unit_amount", decimal),
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
