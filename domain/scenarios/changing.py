"""What a scenario's timeline asks of a subscription: what is to change, when it is to take effect, and the id that it
has on the schedule till then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from domain import commands
from domain.add_ons import read_add_on
from domain.commands import Unused
from domain.overrides import read_overrides
from domain.reading import Fields, decimal, instant, key, one_of, text
from domain.timing import Effective, read_effective

Overrides = Mapping[str, object]
Quantities = Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class ToPlan:
    plan: str
    overrides: Overrides = field(default_factory=dict)
    quantities: Quantities = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Override:
    """Other overrides of the plan that it is on; none take them away."""

    overrides: Overrides


@dataclass(frozen=True, slots=True)
class Redeem:
    """`coupon` is the key of one of the file."""

    coupon: str


@dataclass(frozen=True, slots=True)
class TransferTo:
    customer: str
    key: str
    unused: Unused


What = commands.Command | ToPlan | Override | Redeem | TransferTo


@dataclass(frozen=True, slots=True)
class Change:
    """`id` is what the change is called while it waits on the schedule; one of its place in the file if not given."""

    subscription: str
    what: What
    effective: Effective = "immediately"
    id: str | None = None


def _read_plan(fields: Fields) -> What:
    return ToPlan(
        fields.required("plan", key),
        fields.optional("overrides", read_overrides, {}),
        fields.optional("quantities", read_quantities, {}),
    )


def _read_override(fields: Fields) -> What:
    given = fields.required("overrides", lambda each: {} if each is None else read_overrides(each))
    return Override(given)


def _read_set_quantity(fields: Fields) -> What:
    return commands.SetQuantity(fields.required("item", key), fields.required("quantity", decimal))


def _read_add_on(fields: Fields) -> What:
    if fields.has("price"):
        return read_add_on(fields)
    named = fields.required("key", key)
    return commands.ChargeOnce(
        key=named,
        description=fields.optional("description", text, named),
        amount=fields.required("amount", decimal),
        quantity=fields.optional("quantity", decimal, Fraction(1)),
    )


def _read_transfer(fields: Fields) -> What:
    return TransferTo(
        fields.required("customer", key), fields.required("key", key), _unused(fields)
    )


def _unused(fields: Fields) -> Unused:
    choices = one_of("credit", "refund", "none")
    return cast(Unused, fields.optional("unused", choices, "credit"))


def read_quantities(value: object) -> Quantities:
    fields = Fields(value)
    names = list(value) if isinstance(value, Mapping) else []
    quantities = {str(each): fields.required(str(each), decimal) for each in names}
    fields.done()
    return quantities


def _reader(
    read: Callable[[Fields], What], usual: Effective = "immediately", can_wait: bool = True
) -> Callable[[object], Change]:
    """Read an action; one that cannot wait has neither `effective` nor `id`."""

    def parse(value: object) -> Change:
        fields = Fields(value)
        subscription = fields.required("subscription", key)
        what = read(fields)
        effective = fields.optional("effective", read_effective, usual) if can_wait else usual
        action = Change(
            subscription, what, effective, fields.nullable("id", key) if can_wait else None
        )
        fields.done()
        return action

    return parse


CHANGES: Mapping[str, Callable[[object], Change]] = {
    "change_plan": _reader(_read_plan),
    "override": _reader(_read_override),
    "set_quantity": _reader(_read_set_quantity),
    "add_on": _reader(_read_add_on),
    "remove_add_on": _reader(lambda fields: commands.RemoveAddOn(fields.required("key", key))),
    "add_coupon": _reader(lambda fields: Redeem(fields.required("coupon", key))),
    "remove_coupon": _reader(lambda fields: commands.RemoveCoupon(fields.required("coupon", key))),
    "pause": _reader(lambda fields: commands.Pause(fields.nullable("until", instant))),
    "resume": _reader(lambda _: commands.Resume()),
    "cancel": _reader(lambda fields: commands.Cancel("period_end", _unused(fields)), "period_end"),
    "undo_cancel": _reader(lambda _: commands.UndoCancel(), can_wait=False),
    "reset_anchor": _reader(lambda _: commands.ResetAnchor()),
    "set_trial_end": _reader(
        lambda fields: commands.SetTrialEnd(fields.required("trial_end", instant)), can_wait=False
    ),
    "end_trial": _reader(lambda _: commands.SetTrialEnd(), can_wait=False),
    "transfer": _reader(_read_transfer, can_wait=False),
    "withdraw": _reader(
        lambda fields: commands.Withdraw(fields.required("change", key)), can_wait=False
    ),
}
