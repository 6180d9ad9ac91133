"""A price: one of nine models, and what every price may add to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from domain.decimals import Exact
from domain.errors import Invalid
from domain.exact import ZERO
from domain.pricing.dynamic import Dynamic, read_dynamic
from domain.pricing.figures import not_negative, percent, positive
from domain.pricing.flat import Flat, read_flat
from domain.pricing.graduated import Graduated, read_graduated
from domain.pricing.graduated_percentage import GraduatedPercentage, read_graduated_percentage
from domain.pricing.matrix import Matrix, read_matrix
from domain.pricing.package import Package, read_package
from domain.pricing.per_unit import PerUnit, read_per_unit
from domain.pricing.percentage import Percentage, read_percentage
from domain.pricing.usage import UsageShape
from domain.pricing.volume import Volume, read_volume
from domain.reading import Fields, text

QuantityModel = Flat | PerUnit | Package | Graduated | Volume | GraduatedPercentage
Model = QuantityModel | Percentage | Matrix | Dynamic

_READERS: Mapping[str, Callable[[Fields], Model]] = {
    "flat": read_flat,
    "per_unit": read_per_unit,
    "package": read_package,
    "graduated": read_graduated,
    "volume": read_volume,
    "percentage": read_percentage,
    "graduated_percentage": read_graduated_percentage,
    "matrix": read_matrix,
    "dynamic": read_dynamic,
}
_ADDED = frozenset(("included", "discount_percent", "minimum", "maximum", "unit", "unit_rate"))


@dataclass(frozen=True, slots=True)
class Price:
    """Amounts are in the currency, or in `unit`, of which one is worth `unit_rate` in the currency."""

    model: Model
    included: Exact = ZERO
    discount_percent: Exact = ZERO
    minimum: Exact | None = None
    maximum: Exact | None = None
    unit: str | None = None
    unit_rate: Exact | None = None


def usage_shape(price: Price) -> UsageShape:
    """What a price is applied to. Only prices of a `quantity` take `included`."""
    match price.model:
        case Flat() | PerUnit() | Package() | Graduated() | Volume() | GraduatedPercentage():
            return "quantity"
        case Matrix():
            return "groups"
        case Percentage() | Dynamic():
            return "events"
        case _:
            assert_never(price.model)


def read_price(value: object) -> Price:
    """Read `{"model", …}` and find every fault in it, so that a price that is made can be charged."""
    if not isinstance(value, Mapping):
        raise Invalid.at("", "must be an object")
    read_model = _READERS[_model_name(value)]
    fields = Fields(value)
    fields.required("model", text)
    model = read_model(fields)
    price = Price(model) if _ADDED.isdisjoint(value) else _read_added(fields, model)
    fields.done()
    return price


def _read_added(fields: Fields, model: Model) -> Price:
    """What most prices do not have."""
    price = Price(
        model=model,
        included=fields.optional("included", _included_of(model), ZERO),
        discount_percent=fields.optional("discount_percent", percent, ZERO),
        minimum=fields.nullable("minimum", not_negative),
        maximum=fields.nullable("maximum", not_negative),
        unit=fields.nullable("unit", text),
        unit_rate=fields.nullable("unit_rate", positive),
    )
    _refuse_contradictions(fields, price)
    return price


def _model_name(value: Mapping[object, object]) -> str:
    if "model" not in value:
        raise Invalid.at("model", "is required")
    name = value["model"]
    if not isinstance(name, str) or name not in _READERS:
        raise Invalid.at("model", f"must be one of {', '.join(_READERS)}")
    return name


def _included_of(model: Model) -> Callable[[object], Decimal]:
    """Included units come off one quantity; models that charge groups or events have none."""
    return _no_included if isinstance(model, Percentage | Matrix | Dynamic) else not_negative


def _no_included(value: object) -> Decimal:
    raise Invalid.at("", "is not taken by a price of groups or events")


def _refuse_contradictions(fields: Fields, price: Price) -> None:
    if price.minimum is not None and price.maximum is not None and price.minimum > price.maximum:
        fields.refuse("minimum", "must not be above the maximum")
    if fields.has("unit") and not fields.has("unit_rate"):
        fields.refuse("unit_rate", "is required for a custom unit")
    if fields.has("unit_rate") and not fields.has("unit"):
        fields.refuse("unit", "is required where there is a unit_rate")
