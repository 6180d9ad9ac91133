"""Closing what has been lived through since the last invoice: its arrears and all that waited for an invoice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.account import BilledUsage, Facts, Need
from domain.add_ons import with_removed_add_ons
from domain.calendar import Period
from domain.charges import (
    Charge,
    Stretch,
    changed_quantities,
    charged_in_arrears,
    in_order,
)
from domain.commitments import committed
from domain.consumed import late_needs, usage_needs, used_late, used_up_to
from domain.on_account import credited
from domain.periods import whole_period
from domain.plans import Plan
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Closed:
    """The charges of what is over, by their place on the invoice, and the windows of usage they close."""

    arrears: tuple[Charge, ...] = ()
    prorations: tuple[Charge, ...] = ()
    late: tuple[Charge, ...] = ()
    one_off: tuple[Charge, ...] = ()
    commitment: tuple[Charge, ...] = ()
    billed: tuple[BilledUsage, ...] = ()

    def charges(
        self, advance: Sequence[Charge] = (), prorations: Sequence[Charge] = ()
    ) -> tuple[Charge, ...]:
        """All charges in the order of an invoice's lines, with what else it bills."""
        return (
            *advance,
            *self.arrears,
            *in_order([*self.prorations, *prorations]),
            *self.late,
            *self.one_off,
            *self.commitment,
        )


def closing_needs(
    subscription: Subscription, plan: Plan, facts: Facts, until: datetime
) -> tuple[Need, ...]:
    return (*usage_needs(plan, subscription, facts, until), *late_needs(facts))


def close(
    subscription: Subscription,
    plan: Plan,
    facts: Facts,
    until: datetime,
    changes_plan: bool = False,
) -> Closed:
    """Bill a living subscription up to an instant in its period. `changes_plan` tells why it is not the end."""
    used = used_up_to(plan, subscription, facts, until)
    pending = waiting(subscription, plan, facts, until)
    # A pause keeps a period from being charged in advance, never from its arrears.
    lived = _stretch(subscription, subscription.usage_from, until, changes_plan)
    recurring = charged_in_arrears(plan, subscription, lived) if lived else []
    credits = credited(plan, subscription, facts)
    arrears = tuple(sorted((*recurring, *used.charges, *credits), key=lambda charge: charge.order))
    paid_for = _stretch(subscription, subscription.charged_from, until, changes_plan)
    return replace(
        pending,
        arrears=arrears,
        commitment=committed(plan, subscription, paid_for, facts, arrears) if paid_for else (),
        billed=(*used.billed, *pending.billed),
    )


def waiting(subscription: Subscription, plan: Plan, facts: Facts, until: datetime) -> Closed:
    """What any next invoice bills, whether or not it closes a stretch: changed quantities, late usage, one-offs."""
    late = used_late(facts)
    return Closed(
        prorations=tuple(changed_quantities(plan, subscription, whole_period(subscription), until)),
        late=late.charges,
        one_off=tuple(_one_off(subscription)),
        billed=late.billed,
    )


def parted_waiting(subscription: Subscription, plan: Plan) -> tuple[Subscription, Subscription]:
    """The subscription with what an invoice within the period bills of what waits, and with the rest: a changed
    quantity of an item in arrears waits for the arrears. So does one from the very start of what is charged for: its
    line would look like the charge itself, which a commitment counts and a proration does not.
    """
    items = with_removed_add_ons(plan, subscription).items
    in_advance = {item.key for item in items if item.charged == "in_advance"}
    now = tuple(
        change
        for change in subscription.quantity_changes
        if change.item in in_advance and change.at != subscription.charged_from
    )
    rest = tuple(change for change in subscription.quantity_changes if change not in now)
    return (
        replace(subscription, quantity_changes=now),
        replace(subscription, quantity_changes=rest, one_off_charges=()),
    )


def without_waiting(subscription: Subscription) -> Subscription:
    """The subscription when what was waiting is billed."""
    living = subscription.living_add_ons
    return replace(subscription, quantity_changes=(), one_off_charges=(), add_ons=living)


def _stretch(
    subscription: Subscription, since: datetime | None, until: datetime, changes_plan: bool
) -> Stretch | None:
    """The part of the period from `since` on, if there is one."""
    if since is None or since >= until:
        return None
    whole = whole_period(subscription)
    return Stretch(Period(since, until), whole, subscription.timezone, changes_plan)


def _one_off(subscription: Subscription) -> list[Charge]:
    return [
        Charge(
            kind="one_off",
            item=charge.key,
            description=charge.description,
            quantity=charge.quantity,
            exact_amount=charge.amount,
            period=None,
            plan=subscription.plan,
        )
        for charge in subscription.one_off_charges
    ]
