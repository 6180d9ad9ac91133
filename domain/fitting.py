"""Whether what a plan charges for can be charged: each item's price fits its meter, so that no usage that may come is
priced as something else.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from domain.bounds import TOO_LARGE, TOO_LONG, is_too_large, is_too_long
from domain.calendar import Interval
from domain.errors import Fault
from domain.metering.meter import Meter
from domain.plan_credits import amounts_given
from domain.plans import Item, Plan
from domain.pricing.dynamic import Dynamic
from domain.pricing.matrix import Matrix
from domain.pricing.overlaps import ambiguous_cells
from domain.pricing.price import usage_shape
from domain.pricing.usage import Quantity
from domain.rating import rate


def unfit_items(plan: Plan, meters: Mapping[str, Meter]) -> Iterator[Fault]:
    """What a plan says that could not be charged, with its paths: of its items, and amounts beyond all bounds."""
    for path, amount in _amounts(plan):
        if is_too_large(amount):
            yield Fault(path, TOO_LARGE)
    for path, interval in _intervals(plan):
        if interval is not None and is_too_long(interval):
            yield Fault(f"{path}.count", TOO_LONG)
    for index, item in enumerate(plan.items):
        for fault in _unfit_item(item, meters):
            yield Fault(f"items.{index}.{fault.path}", fault.message)


def _unfit_item(item: Item, meters: Mapping[str, Meter]) -> Iterator[Fault]:
    if isinstance(item.price.model, Matrix):
        yield from _ambiguous(item.price.model)
    if item.meter is None:
        return
    meter = meters.get(item.meter)
    if meter is None:
        yield Fault("meter", f"there is no meter {item.meter}")
        return
    match usage_shape(item.price):
        case "groups":
            yield from _unfit_for_groups(item, meter)
        case "events":
            for reason in _unfit_for_events(item, meter):
                yield Fault("meter", f"{reason}: its events are priced one by one")
        case "quantity":
            return


def _intervals(plan: Plan) -> Iterator[tuple[str, Interval | None]]:
    yield "interval", plan.interval
    yield "trial", plan.trial
    yield "invoice_grace", plan.invoice_grace
    for index, credit in enumerate(plan.credits):
        yield f"credits.{index}.expires_after", credit.expires_after
    for index, bonus in enumerate(plan.top_up_bonuses):
        yield f"top_up_bonuses.{index}.expires_after", bonus.expires_after


def _amounts(plan: Plan) -> Iterator[tuple[str, Fraction]]:
    """The amounts that are billed or given whatever is used, in the currency."""
    yield "minimum_commitment", plan.minimum_commitment or Fraction(0)
    yield from amounts_given(plan)
    for index, item in enumerate(plan.items):
        yield f"items.{index}.minimum_commitment", item.minimum_commitment or Fraction(0)
        if usage_shape(item.price) == "quantity":
            quantity = item.quantity if item.kind == "recurring" else Fraction(0)
            yield f"items.{index}.price", rate(item.price, Quantity(quantity)).amount


def _ambiguous(matrix: Matrix) -> Iterator[Fault]:
    """A usage group must never find two prices."""
    for first, second in ambiguous_cells(matrix.cells):
        message = f"and cell {first} can match one key, and neither is more specific"
        yield Fault(f"price.cells.{second}.match", message)


def _unfit_for_groups(item: Item, meter: Meter) -> Iterator[Fault]:
    assert isinstance(item.price.model, Matrix)
    grouped = {dimension.name for dimension in meter.group_by}
    missing = [name for name in item.price.model.dimensions if name not in grouped]
    if missing:
        yield Fault("meter", f"does not group by {', '.join(missing)}, as the price does")


def _unfit_for_events(item: Item, meter: Meter) -> Iterator[str]:
    """A price of events takes the value of each: what a meter does with all of them together would be left out."""
    if meter.aggregation == "count":
        if isinstance(item.price.model, Dynamic):
            yield "counts, and its events carry no amounts"
    elif meter.aggregation != "sum":
        yield f"aggregates by {meter.aggregation}, not by sum"
    if meter.window is not None:
        yield f"aggregates by the {meter.window}"
    if meter.carry_over:
        yield "carries its level over"
    if meter.rounding is not None:
        yield "rounds"
