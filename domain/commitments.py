"""Minimum commitments of items and of plans: what a stretch falls short is billed, what is beyond it may cost more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from domain.account import Facts
from domain.basis import OfCommitment
from domain.charges import Charge, Stretch, order_of
from domain.invoices import Line
from domain.periods import current_period
from domain.plans import Item, Plan
from domain.proration import share_of
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Spent:
    """What was charged for an item, in the currency."""

    item: str | None
    amount: Fraction


def committed(
    plan: Plan,
    subscription: Subscription,
    stretch: Stretch,
    facts: Facts,
    arrears: Iterable[Charge],
) -> tuple[Charge, ...]:
    """Compare each commitment, prorated for a partial period, with the recurring and usage lines of the stretch: those
    charged in advance of it and the `arrears` now billed; before coupons. An item's comes first, and is compared with
    that item's lines. What it bills counts towards the plan's.
    """
    if not stretch.share(plan):
        return ()
    spent = list(_charged_before(plan, subscription, stretch, facts))
    spent += (
        Spent(charge.item, charge.exact_amount)
        for charge in arrears
        if charge.kind in ("recurring", "usage")
    )
    of_items = [charge for item in plan.items for charge in _compared(plan, stretch, spent, item)]
    spent += (Spent(charge.item, charge.exact_amount) for charge in of_items)
    return (*of_items, *_compared(plan, stretch, spent))


def _compared(
    plan: Plan, stretch: Stretch, spent: Iterable[Spent], item: Item | None = None
) -> Iterator[Charge]:
    """The line of an item's commitment, or of the plan's: a true-up, a surcharge, or none."""
    of = plan if item is None else item
    if of.minimum_commitment is None:
        return
    share = stretch.share(plan)
    minimum = of.minimum_commitment * share
    total = _sum(each.amount for each in spent if item is None or each.item == item.key)
    key = None if item is None else item.key
    basis = OfCommitment(of.minimum_commitment, share, total, of.commitment_overage_factor, key)
    if total < minimum:
        yield _charge(plan, item, stretch, "minimum commitment", minimum - total, basis)
    elif surcharge := (total - minimum) * (of.commitment_overage_factor - 1):
        yield _charge(plan, item, stretch, "beyond the commitment", surcharge, basis)


def _charged_before(
    plan: Plan, subscription: Subscription, stretch: Stretch, facts: Facts
) -> Iterator[Spent]:
    """What was charged for the stretch in advance: as it began, as it was used, and for add-ons by a plan before it. A
    line that ends with another period than the current one was charged, or taken back, for that one.
    """
    starts = (stretch.part.start, subscription.usage_from)
    end = current_period(subscription).end
    add_ons = {add_on.key for add_on in subscription.add_ons}
    for line in (issued.line for issued in facts.advance):
        if line.period is None or line.period.end != end:
            continue
        is_of_plan = line.plan == plan.ref and line.period.start in starts
        if is_of_plan or (line.item in add_ons and line.period.start < stretch.part.start):
            yield Spent(line.item, _share_in(line, plan, stretch))


def _share_in(line: Line, plan: Plan, stretch: Stretch) -> Fraction:
    """A line's amount, as far as its period is in the stretch; usage is what it is."""
    if line.kind == "usage":
        return line.amount.exact
    if line.period is None or line.period == stretch.part:
        return line.exact_amount
    return line.exact_amount * share_of(stretch.part, line.period, plan.proration, stretch.timezone)


def _charge(
    plan: Plan,
    item: Item | None,
    stretch: Stretch,
    reason: str,
    amount: Fraction,
    basis: OfCommitment,
) -> Charge:
    what = reason if item is None else f"{item.key}, {reason}"
    return Charge(
        kind="commitment",
        item=None if item is None else item.key,
        description=f"{plan.name}: {what}",
        quantity=Fraction(1),
        exact_amount=amount,
        period=stretch.part,
        plan=plan.ref,
        order=len(plan.items) if item is None else order_of(plan, item),
        basis=basis,
    )


def _sum(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction(0))
