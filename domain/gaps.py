"""Gaps: usage groups that a version of a plan has no price for, priced by a later version that says it does so.

A version is never changed, and such a group was never billed: to price it changes no amount that anybody was told.
"""

from collections.abc import Sequence
from dataclasses import replace

from domain.plans import Item, Plan
from domain.pricing.matrix import Matrix


def has_gaps(plan: Plan) -> bool:
    """Whether there may be a group that the plan has no price for."""
    return any(_has_gaps(item) for item in plan.items)


def with_gaps_filled(plan: Plan, later: Sequence[Plan]) -> Plan:
    """The plan, with what later versions of it have for the groups it has no price for: the earliest of them first, so
    that none that comes later changes a price again.
    """
    for newer in later:
        if newer.fills_gaps and newer.currency == plan.currency:
            plan = replace(plan, items=tuple(_filled(item, newer) for item in plan.items))
    return plan


def _has_gaps(item: Item) -> bool:
    model = item.price.model
    return isinstance(model, Matrix) and _last(model).default_unit_amount is None


def _filled(item: Item, newer: Plan) -> Item:
    """The item with the newer one's matrix beyond its own, where both price the same thing in the same unit."""
    other, model = newer.item(item.key), item.price.model
    if other is None or not isinstance(model, Matrix) or not _has_gaps(item):
        return item
    price, beyond = other.price, other.price.model
    if not isinstance(beyond, Matrix) or other.meter != item.meter:
        return item
    if (price.unit, price.unit_rate) != (item.price.unit, item.price.unit_rate):
        return item
    return replace(item, price=replace(item.price, model=_with_beyond(model, beyond)))


def _with_beyond(matrix: Matrix, beyond: Matrix) -> Matrix:
    further = beyond if matrix.beyond is None else _with_beyond(matrix.beyond, beyond)
    return replace(matrix, beyond=further)


def _last(matrix: Matrix) -> Matrix:
    return matrix if matrix.beyond is None else _last(matrix.beyond)
