"""A plan's minimum commitment: what a stretch of it falls short is billed, what is beyond it may cost more."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from domain.account import Facts
from domain.charges import Charge, Stretch
from domain.invoices import Line
from domain.plans import Plan
from domain.proration import share_of
from domain.subscription import Subscription


def committed(
    plan: Plan,
    subscription: Subscription,
    stretch: Stretch,
    facts: Facts,
    arrears: Iterable[Charge],
) -> tuple[Charge, ...]:
    """Compare the commitment, prorated for a partial period, with the recurring and usage lines of the stretch:
    those charged in advance of it and the `arrears` now billed; before coupons.
    """
    share = stretch.share(plan)
    if plan.minimum_commitment is None or not share:
        return ()
    minimum = plan.minimum_commitment * share
    spent = _charged_before(plan, subscription.usage_from, stretch, facts) + _sum(
        charge.exact_amount for charge in arrears if charge.kind in ("recurring", "usage")
    )
    if spent < minimum:
        return (_charge(plan, stretch, "minimum commitment", minimum - spent),)
    surcharge = (spent - minimum) * (plan.commitment_overage_factor - 1)
    return (_charge(plan, stretch, "beyond the commitment", surcharge),) if surcharge else ()


def _charged_before(
    plan: Plan, used_from: datetime | None, stretch: Stretch, facts: Facts
) -> Fraction:
    """What was charged for the stretch in advance: as it began, and as it was used."""
    lines = [
        issued.line
        for issued in facts.advance
        if issued.line.plan == plan.ref
        and issued.line.period is not None
        and issued.line.period.start in (stretch.part.start, used_from)
    ]
    return _sum(_share_in(line, plan, stretch) for line in lines)


def _share_in(line: Line, plan: Plan, stretch: Stretch) -> Fraction:
    """A line's amount, as far as its period is in the stretch; usage is what it is."""
    if line.kind == "usage":
        return line.amount.exact
    if line.period is None or line.period == stretch.part:
        return line.exact_amount
    return line.exact_amount * share_of(stretch.part, line.period, plan.proration, stretch.timezone)


def _charge(plan: Plan, stretch: Stretch, description: str, amount: Fraction) -> Charge:
    return Charge(
        kind="commitment",
        item=None,
        description=f"{plan.name}: {description}",
        quantity=Fraction(1),
        exact_amount=amount,
        period=stretch.part,
        plan=plan.ref,
    )


def _sum(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction(0))
