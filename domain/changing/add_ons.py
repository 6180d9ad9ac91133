"""Charges and items of a subscription's own, beside those of its plan."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from domain.account import Facts, Outcome
from domain.add_ons import item_in, item_of
from domain.bounds import TOO_LARGE, is_too_large
from domain.changing.quantities import is_charged, with_change
from domain.charges import quantity_of
from domain.commands import AddAddOn, ChargeOnce, RemoveAddOn
from domain.errors import Conflict, Invalid, NotFound
from domain.plans import Item
from domain.pricing.usage import Quantity
from domain.rating import rate
from domain.subscription import AddOn, OneOffCharge, QuantityChange, Subscription


def add(facts: Facts, subscription: Subscription, command: AddAddOn, at: datetime) -> Outcome:
    """With one more add-on; within a period, its rest is prorated by the next invoice.

    Raises Conflict where the key is one of the plan's items, of the next plan's or of another add-on.
    """
    item = check_add_on(command)
    _check_free(facts, subscription, item)
    others = tuple(each for each in subscription.add_ons if each.key != command.key)
    added = replace(
        subscription,
        add_ons=(*others, AddOn(command.key, command.document, at)),
        quantities=_without(subscription, command.key),
    )
    change = QuantityChange(item.key, at, None, item.quantity)
    return Outcome(with_change(added, item, change))


def remove(facts: Facts, subscription: Subscription, command: RemoveAddOn, at: datetime) -> Outcome:
    """Without an add-on; within a period, the next invoice gives its rest back. Raises NotFound where there is none."""
    found = [each for each in subscription.living_add_ons if each.key == command.key]
    if not found:
        raise NotFound(f"{subscription.key} has no add-on {command.key}")
    (add_on,) = found
    item = item_of(add_on)
    others = tuple(each for each in subscription.add_ons if each.key != command.key)
    left = (replace(add_on, until=at),) if is_charged(subscription, item) else ()
    removed = replace(
        subscription,
        add_ons=(*others, *left),
        quantities=_without(subscription, command.key),
    )
    change = QuantityChange(item.key, at, quantity_of(subscription, item), None)
    return Outcome(with_change(removed, item, change))


def check_add_on(command: AddAddOn) -> Item:
    """Its item. Raises Invalid where it comes to more than a line can hold."""
    item = item_in(command.document)
    if is_too_large(rate(item.price, Quantity(item.quantity)).amount):
        raise Invalid.at("price", TOO_LARGE)
    return item


def with_charge(subscription: Subscription, command: ChargeOnce) -> Subscription:
    charge = OneOffCharge(command.key, command.description, command.amount, command.quantity)
    return replace(subscription, one_off_charges=(*subscription.one_off_charges, charge))


def _check_free(facts: Facts, subscription: Subscription, item: Item) -> None:
    key, living = item.key, subscription.key
    for ref in (subscription.plan, subscription.next_plan):
        if ref is not None and facts.plans[ref].item(key) is not None:
            raise Conflict(f"{ref.key} has an item {key}: an add-on needs a key of its own")
    taken = next((each for each in subscription.add_ons if each.key == key), None)
    if taken is None:
        return
    if taken.until is None:
        raise Conflict(f"{living} has an add-on {key} already")
    if item_of(taken) != item:
        raise Conflict(f"{living} had another add-on {key} in this period: it is free in the next")


def _without(subscription: Subscription, key: str) -> Mapping[str, Fraction]:
    return {item: quantity for item, quantity in subscription.quantities.items() if item != key}
