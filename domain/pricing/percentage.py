"""A percentage and a fixed amount of each event, beyond a free allowance of events or money."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import Exact
from domain.errors import Invalid
from domain.exact import ZERO, as_exact, minus, plus, sum_of, times
from domain.pricing.figures import figure, not_negative, percentage
from domain.pricing.steps import Step, charged, lump
from domain.pricing.usage import Events
from domain.reading import Fields


@dataclass(frozen=True, slots=True)
class Percentage:
    """`rate` is a share of one. Where both are given, the free allowance ends at the one used up first; the
    bounds are of one event's rate plus fixed amount, the maximum last.
    """

    rate: Exact
    fixed_amount: Decimal
    free_events: int | None
    free_amount: Decimal | None
    minimum_per_event: Decimal | None
    maximum_per_event: Decimal | None

    def charge(self, usage: Events) -> list[Step]:
        """Charge events in their order; a quantity is an amount of money."""
        quantities = _quantities(usage)
        chargeable = self._beyond_allowance(quantities)
        quantity = sum_of(chargeable)
        steps = (
            Step("free", minus(sum_of(quantities), quantity), ZERO, ZERO),
            charged("rate", quantity, self.rate),
            charged("fixed_amount", Decimal(len(chargeable)), self.fixed_amount),
            *self._bounded(chargeable),
        )
        return [step for step in steps if step.quantity or step.amount]

    def _beyond_allowance(self, quantities: Sequence[Exact]) -> Sequence[Exact]:
        """What of each event is beyond the allowance, without the events that are wholly free."""
        if self.free_amount is None:
            return quantities[self.free_events or 0 :]
        free_events = len(quantities) if self.free_events is None else self.free_events
        left: Exact = self.free_amount
        chargeable = []
        for index, quantity in enumerate(quantities):
            if index >= free_events or left <= 0:
                chargeable.append(quantity)
            elif quantity > left:
                chargeable.append(minus(quantity, left))
            left = minus(left, quantity)  # a negative one gives some of the allowance back
        return chargeable

    def _bounded(self, chargeable: Sequence[Exact]) -> Iterator[Step]:
        """What the bounds add to the fees of single events."""
        if self.minimum_per_event is None and self.maximum_per_event is None:
            return
        fees = [plus(times(quantity, self.rate), self.fixed_amount) for quantity in chargeable]
        raised = [self._raise(fee) for fee in fees]
        capped = [self._cap(fee) for fee in raised]
        yield lump("minimum_per_event", minus(sum_of(raised), sum_of(fees)))
        yield lump("maximum_per_event", minus(sum_of(capped), sum_of(raised)))

    def _raise(self, fee: Exact) -> Exact:
        return fee if self.minimum_per_event is None else max(fee, self.minimum_per_event)

    def _cap(self, fee: Exact) -> Exact:
        return fee if self.maximum_per_event is None else min(fee, self.maximum_per_event)


def _quantities(usage: Events) -> list[Exact]:
    quantities = []
    for index, event in enumerate(usage.events):
        if event.quantity is None:
            raise Invalid.at(f"usage.events.{index}.quantity", "is required")
        quantities.append(as_exact(event.quantity))
    return quantities


def read_percentage(fields: Fields) -> Percentage:
    return Percentage(
        fields.required("rate", percentage),
        fields.optional("fixed_amount", figure, ZERO),
        fields.nullable("free_events", _whole),
        fields.nullable("free_amount", not_negative),
        fields.nullable("minimum_per_event", not_negative),
        fields.nullable("maximum_per_event", not_negative),
    )


def _whole(value: object) -> int:
    number = not_negative(value)
    whole = int(number)
    if whole != number:
        raise Invalid.at("", "must be a whole number of events")
    return whole
