"""A percentage and a fixed amount of each event, beyond a free allowance of events or money."""

from dataclasses import dataclass
from fractions import Fraction

from domain.errors import Invalid
from domain.pricing.steps import ZERO, Step, charged, lump
from domain.pricing.usage import Events
from domain.reading import Fields, decimal, not_negative, percentage


@dataclass(frozen=True, slots=True)
class Percentage:
    """`rate` is a share of one. Where both are given, the free allowance ends at the one used up first; the
    bounds are of one event's rate plus fixed amount, the maximum last.
    """

    rate: Fraction
    fixed_amount: Fraction
    free_events: int | None
    free_amount: Fraction | None
    minimum_per_event: Fraction | None
    maximum_per_event: Fraction | None

    def charge(self, usage: Events) -> list[Step]:
        """Charge events in their order; a quantity is an amount of money."""
        used = charged_quantity = raised = capped = ZERO
        charged_events = 0
        for index, event in enumerate(usage.events):
            if event.quantity is None:
                raise Invalid.at(f"usage.events.{index}.quantity", "is required")
            chargeable = self._chargeable(index, used, event.quantity)
            used += event.quantity
            if chargeable is None:
                continue
            charged_events += 1
            charged_quantity += chargeable
            fee = chargeable * self.rate + self.fixed_amount
            at_least = self._raise(fee)
            raised += at_least - fee
            capped += self._cap(at_least) - at_least
        steps = (
            charged("free", used - charged_quantity, ZERO),
            charged("rate", charged_quantity, self.rate),
            charged("fixed_amount", Fraction(charged_events), self.fixed_amount),
            lump("minimum_per_event", raised),
            lump("maximum_per_event", capped),
        )
        return [step for step in steps if step.quantity or step.amount]

    def _chargeable(self, before: int, used: Fraction, quantity: Fraction) -> Fraction | None:
        """What of an event is beyond the allowance, after `before` events of `used` in all; None where the
        event is wholly free.
        """
        if self.free_events is None and self.free_amount is None:
            return quantity
        if self.free_events is not None and before >= self.free_events:
            return quantity
        if self.free_amount is None:
            return None
        left = self.free_amount - used
        if left <= 0:
            return quantity
        return quantity - left if quantity > left else None

    def _raise(self, fee: Fraction) -> Fraction:
        return fee if self.minimum_per_event is None else max(fee, self.minimum_per_event)

    def _cap(self, fee: Fraction) -> Fraction:
        return fee if self.maximum_per_event is None else min(fee, self.maximum_per_event)


def read_percentage(fields: Fields) -> Percentage:
    return Percentage(
        fields.required("rate", percentage),
        fields.optional("fixed_amount", decimal, ZERO),
        fields.nullable("free_events", _whole),
        fields.nullable("free_amount", not_negative),
        fields.nullable("minimum_per_event", not_negative),
        fields.nullable("maximum_per_event", not_negative),
    )


def _whole(value: object) -> int:
    number = not_negative(value)
    if number.denominator != 1:
        raise Invalid.at("", "must be a whole number of events")
    return number.numerator
