"""The sum of the amounts that events carry, times a multiplier."""

from dataclasses import dataclass
from decimal import Decimal

from domain.errors import Invalid
from domain.exact import ONE, as_exact, sum_of
from domain.pricing.figures import figure
from domain.pricing.steps import Step, charged
from domain.pricing.usage import Events
from domain.reading import Fields


@dataclass(frozen=True, slots=True)
class Dynamic:
    multiplier: Decimal

    def charge(self, usage: Events) -> list[Step]:
        carried = []
        for index, event in enumerate(usage.events):
            if event.amount is None:
                raise Invalid.at(f"usage.events.{index}.amount", "is required")
            carried.append(as_exact(event.amount))
        return [charged("multiplier", sum_of(carried), self.multiplier)]


def read_dynamic(fields: Fields) -> Dynamic:
    return Dynamic(fields.optional("multiplier", figure, ONE))
