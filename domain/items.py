"""The items of a plan, read from their documents."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Literal, cast

from domain.errors import Invalid
from domain.plans import AdvanceInvoicing, Charged, Item, Threshold
from domain.pricing.price import read_price, usage_shape
from domain.reading import Fields, key, not_negative, one_of, positive, text


def read_item(value: object, invoicing: AdvanceInvoicing = "each") -> Item:
    """Read an item of contract §4; raises Invalid with every fault. `invoicing` is that of an item that says nothing."""
    fields = Fields(value)
    fields.nullable("name", text)
    kind = cast(
        Literal["recurring", "usage"], fields.required("kind", one_of("recurring", "usage"))
    )
    usual = "in_advance" if kind == "recurring" else "in_arrears"
    included = fields.nullable("included", not_negative)
    minimum_commitment, overage_factor = read_commitment(fields)
    item = Item(
        key=fields.required("key", key),
        kind=kind,
        charged=cast(
            Charged, fields.optional("charged", one_of("in_advance", "in_arrears"), usual)
        ),
        price=fields.required("price", read_price),
        quantity=fields.optional("quantity", not_negative, Fraction(1)),
        meter=fields.nullable("meter", key),
        advance_invoicing=fields.optional("advance_invoicing", read_advance_invoicing, invoicing),
        minimum_commitment=minimum_commitment,
        commitment_overage_factor=overage_factor,
    )
    _refuse_misplaced(fields, item)
    if included is not None and item.price is not None:
        item = _including(fields, item, included)
    fields.done()
    return item


def read_commitment(fields: Fields) -> tuple[Fraction | None, Fraction]:
    """The commitment of a plan or an item, in the currency for a whole period, and the factor of what is beyond it."""
    minimum = fields.nullable("minimum_commitment", not_negative)
    factor = fields.optional("commitment_overage_factor", not_negative, Fraction(1))
    if fields.has("commitment_overage_factor") and not fields.has("minimum_commitment"):
        fields.refuse("minimum_commitment", "is required where there is an overage factor")
    return minimum, factor


def read_advance_invoicing(value: object) -> AdvanceInvoicing:
    """When usage that is charged as it arrives is invoiced."""
    if isinstance(value, Mapping):
        return read_threshold(value)
    if value not in ("each", "day", "period"):
        raise Invalid.at("", 'must be each, day, period or {"threshold": amount}')
    return cast(AdvanceInvoicing, value)


def read_threshold(value: object) -> Threshold:
    """`{"threshold": amount}`, in the plan's currency."""
    fields = Fields(value)
    threshold = fields.required("threshold", positive)
    fields.done()
    return Threshold(threshold)


def _refuse_misplaced(fields: Fields, item: Item) -> None:
    """Refuse what one kind of item does not have."""
    if item.kind == "usage":
        if not fields.has("meter"):
            fields.refuse("meter", "is required for a usage item")
        if fields.has("quantity"):
            fields.refuse("quantity", "is for recurring items: a usage item's is measured")
    elif item.kind == "recurring":
        if fields.has("meter"):
            fields.refuse("meter", "is for usage items")
        if item.price is not None and usage_shape(item.price) != "quantity":
            fields.refuse("price.model", "charges usage: a recurring item has only a quantity")
    if fields.has("advance_invoicing") and (item.kind, item.charged) != ("usage", "in_advance"):
        fields.refuse("advance_invoicing", "is for usage items charged in advance")


def _including(fields: Fields, item: Item, included: Fraction) -> Item:
    if usage_shape(item.price) != "quantity":
        fields.refuse("included", "is not taken by a price of groups or events")
    elif item.price.included:
        fields.refuse("included", "is given in the price as well")
    return replace(item, price=replace(item.price, included=included))
