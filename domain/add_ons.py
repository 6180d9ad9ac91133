"""Recurring add-ons: read from what is asked, an item as a plan has it without a kind of its own, and put behind the items
of the plan that a subscription is billed by.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from domain.commands import AddAddOn
from domain.errors import Invalid
from domain.features import entitlement_document, read_entitlements, unfit_entitlements
from domain.items import read_item
from domain.plans import Entitlement, Feature, Item, Plan
from domain.reading import Fields
from domain.subscription import AddOn, Subscription

ENTITLEMENTS = "entitlements"

_NOTHING_GIVEN: tuple[Entitlement, ...] = ()
_MEMBERS = ("key", "name", "charged", "quantity", "price", ENTITLEMENTS)


def read_add_on(fields: Fields) -> AddAddOn:
    """Read `{key, price, charged, quantity, entitlements}`; the faults are those of the item and the entitlements."""
    document: dict[str, object] = {"kind": "recurring"}
    for name in _MEMBERS:
        value = fields.nullable(name, lambda given: given)
        if value is not None:
            document[name] = value
    try:
        item = item_in(document)
        if given := entitlements_in(document):
            document[ENTITLEMENTS] = [entitlement_document(each) for each in given]
    except Invalid as invalid:
        for fault in invalid.faults:
            fields.refuse(fault.path, fault.message)
        return AddAddOn("", {})  # never used: `done` raises
    return AddAddOn(item.key, document)


def with_add_ons(plan: Plan, subscription: Subscription) -> Plan:
    """The plan as this subscription is charged by it: its add-ons come behind the plan's items, the oldest first."""
    return _with(plan, subscription.living_add_ons)


def with_removed_add_ons(plan: Plan, subscription: Subscription) -> Plan:
    """The same with the add-ons that were removed, of which something may be left to bill."""
    removed = (add_on for add_on in subscription.add_ons if add_on.until is not None)
    return _with(plan, (*subscription.living_add_ons, *removed))


def item_of(add_on: AddOn) -> Item:
    return item_in(add_on.document)


def item_in(document: Mapping[str, object]) -> Item:
    """What an add-on charges, of its document. Raises Invalid with every fault."""
    return read_item({name: said for name, said in document.items() if name != ENTITLEMENTS})


def entitlements_of(add_on: AddOn) -> tuple[Entitlement, ...]:
    return entitlements_in(add_on.document)


def entitlements_in(document: Mapping[str, object]) -> tuple[Entitlement, ...]:
    """What an add-on gives, of its document. Raises Invalid with every fault."""
    fields = Fields({ENTITLEMENTS: document.get(ENTITLEMENTS)})
    given = fields.optional(ENTITLEMENTS, read_entitlements, _NOTHING_GIVEN)
    fields.done()
    return given


def require_known_features(command: AddAddOn, features: Mapping[str, Feature]) -> None:
    """Raise Invalid where it gives a feature that there is not, or one of another type."""
    if faults := tuple(unfit_entitlements(entitlements_in(command.document), features)):
        raise Invalid(faults)


def _with(plan: Plan, add_ons: Iterable[AddOn]) -> Plan:
    items = tuple(item_of(add_on) for add_on in add_ons)
    return replace(plan, items=(*plan.items, *items)) if items else plan
