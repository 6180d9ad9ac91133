"""Other quantities of recurring items."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from domain.account import Facts
from domain.add_ons import with_add_ons
from domain.bounds import TOO_LARGE, is_too_large
from domain.commands import SetQuantity
from domain.errors import Invalid
from domain.plans import Item, Plan
from domain.pricing.usage import Quantity
from domain.rating import rate
from domain.subscription import QuantityChange, Subscription


def with_quantity(
    facts: Facts, subscription: Subscription, command: SetQuantity, at: datetime
) -> Subscription:
    """With another quantity, prorated by the next invoice if the period is, or will be, charged for the old one."""
    plan = with_add_ons(facts.plans[subscription.plan], subscription)
    item = check_quantity(plan, command.item, command.quantity)
    following = facts.plans[subscription.next_plan] if subscription.next_plan else None
    if following is not None and following.item(command.item) is not None:
        check_quantity(following, command.item, command.quantity)
    before = subscription.quantities.get(item.key, item.quantity)
    changed = replace(
        subscription, quantities={**subscription.quantities, item.key: command.quantity}
    )
    if before == command.quantity:
        return changed
    return with_change(changed, item, QuantityChange(item.key, at, before, command.quantity))


def with_change(subscription: Subscription, item: Item, change: QuantityChange) -> Subscription:
    """With a change to prorate, if the period is, or will be, charged for what was before it."""
    if not is_charged(subscription, item):
        return subscription
    return replace(subscription, quantity_changes=(*subscription.quantity_changes, change))


def is_charged(subscription: Subscription, item: Item) -> bool:
    is_in_advance = item.charged == "in_advance"
    since = subscription.charged_from if is_in_advance else subscription.usage_from
    return since is not None


def check_quantity(plan: Plan, key: str, quantity: Fraction) -> Item:
    """The recurring item of that key. Raises Invalid where the plan has none, or cannot charge that quantity."""
    item = plan.item(key)
    if item is None or item.kind != "recurring":
        raise Invalid.at("item", f"{plan.key} has no recurring item {key}")
    if is_too_large(rate(item.price, Quantity(quantity)).amount):
        raise Invalid.at("quantity", TOO_LARGE)
    return item
