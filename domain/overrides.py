"""Overrides: one subscription's own prices, put in the place of those of its plan.

`{"items": {"tokens": {"price": {"discount_percent": "10"}, "included": "500000"}}, "minimum_commitment": "100.00"}`.
What they make of a plan is read by the plan's own reader, so nothing gets in that a plan may not say.

The plan, its items and credits (by their keys), its entitlements (by their features) and a price are taken member by member: a member that is named stands in
the place of the plan's, null takes it away, and all others stay. Every other value is taken whole, lists too. A price
that names another model stands in the place of the whole price, since the members of two models do not mix.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.errors import Fault, Invalid
from domain.features import OF_METERED
from domain.plans import Plan
from domain.reading import Parser

Document = Mapping[str, object]

COMMITMENT = ("minimum_commitment", "commitment_overage_factor")
OF_PLAN = ("items", "credits", "entitlements", *COMMITMENT)
OF_ITEM = ("price", "included", *COMMITMENT)
OF_CREDIT = ("amount", "expires_after")
OF_ENTITLEMENT = ("value", *OF_METERED)
KEYED: Mapping[str, str] = {"items": "key", "credits": "key", "entitlements": "feature"}
"""The lists of a plan of which single entries can be overridden, and the member that each is known by."""

MOST_ENTRIES = 200
PATH = "overrides"


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """A plan as one subscription has it, and the document that says so."""

    plan: Plan
    document: Document


def read_overrides(value: object) -> Document:
    """The overrides in a body, without what overrides nothing; raises Invalid for what cannot be overridden. Whether the
    plan has such items, and what they come to, is found out by `own_plan`.
    """
    faults: list[Fault] = []
    members = _members(value, OF_PLAN, "", faults)
    if "items" in members:
        members["items"] = _entries(members["items"], "items", _read_item, faults)
    if "credits" in members:
        members["credits"] = _entries(members["credits"], "credits", _read_credit, faults)
    if "entitlements" in members:
        given = members["entitlements"]
        members["entitlements"] = _entries(given, "entitlements", _read_entitlement, faults)
    if faults:
        raise Invalid(faults)
    return {name: member for name, member in members.items() if member != {}}


def own_plan(document: Document, overrides: Document, read: Parser[Plan]) -> OwnPlan:
    """A plan's document with the overrides in it, as `read` reads it. Raises Invalid, with paths in the overrides, for
    entries that the plan does not have and for whatever `read` refuses.
    """
    whole = _overridden(document, overrides)
    try:
        return OwnPlan(read(whole), whole)
    except Invalid as invalid:
        raise Invalid(_located(fault, whole) for fault in invalid.faults) from None


def as_written(overrides: Document, document: Document) -> Document:
    """The same overrides, each value as the document says it that they were put in."""
    told = {name: document.get(name) for name in COMMITMENT if name in overrides}
    for name in KEYED:
        given, known = _mapping(overrides.get(name)), _by_key(document, name)
        entries = {key: _same(entry, known.get(key)) for key, entry in given.items()}
        told |= {name: entries} if entries else {}
    return told


def _read_item(value: object, path: str, faults: list[Fault]) -> object:
    item = _members(value, OF_ITEM, path, faults)
    if not isinstance(item.get("price", {}), Mapping):
        faults.append(Fault(f"{path}.price", "must be an object"))
    return {name: member for name, member in item.items() if member != {}}


def _read_credit(value: object, path: str, faults: list[Fault]) -> object:
    """Null takes a credit away: an amount of nothing is none."""
    return None if value is None else _members(value, OF_CREDIT, path, faults)


def _read_entitlement(value: object, path: str, faults: list[Fault]) -> object:
    return None if value is None else _members(value, OF_ENTITLEMENT, path, faults)


def _entries(
    value: object,
    name: str,
    read: Callable[[object, str, list[Fault]], object],
    faults: list[Fault],
) -> dict[str, object]:
    """What is overridden of each of the plan's items, or credits, by their keys."""
    if not isinstance(value, Mapping) or len(value) > MOST_ENTRIES:
        faults.append(Fault(name, f"must be an object of at most {MOST_ENTRIES} members"))
        return {}
    entries = {str(key): read(entry, f"{name}.{key}", faults) for key, entry in value.items()}
    return {key: entry for key, entry in entries.items() if entry != {}}


def _members(
    value: object, known: tuple[str, ...], path: str, faults: list[Fault]
) -> dict[str, object]:
    if not isinstance(value, Mapping):
        faults.append(Fault(path, "must be an object"))
        return {}
    refused = [str(name) for name in value if name not in known]
    beneath = f"{path}." if path else ""
    message = f"cannot be overridden: only {', '.join(known)} can"
    faults.extend(Fault(f"{beneath}{name}", message) for name in refused)
    return {str(name): member for name, member in value.items() if name in known}


def _overridden(document: Document, overrides: Document) -> Document:
    faults = [
        Fault(f"{PATH}.{name}.{key}", f"{document.get('key')} has no such {name.removesuffix('s')}")
        for name in KEYED
        for key in _mapping(overrides.get(name))
        if key not in _by_key(document, name)
    ]
    if faults:
        raise Invalid(faults)
    plain = {name: overrides[name] for name in COMMITMENT if name in overrides}
    merged = dict(_merged(document, plain))
    if items := _mapping(overrides.get("items")):
        merged["items"] = [
            _item(entry, _mapping(items.get(key)))
            for key, entry in _by_key(document, "items").items()
        ]
    for name in ("credits", "entitlements"):
        if given := _mapping(overrides.get(name)):
            merged[name] = [
                _merged(entry, _mapping(given.get(key)))
                for key, entry in _by_key(document, name).items()
                if key not in given or given[key] is not None
            ]
    return merged


def _item(item: Document, overrides: Document) -> Document:
    if "price" not in overrides:
        return _merged(item, overrides)
    old, new = _mapping(item["price"]), _mapping(overrides["price"])
    is_other = new.get("model") not in (None, old.get("model"))
    return _merged(item, {**overrides, "price": _merged({} if is_other else old, new)})


def _merged(old: Document, new: Document) -> Document:
    """One object with the members of another in the place of its own; null takes a member away."""
    given = {name: member for name, member in new.items() if member is not None}
    return {**{name: member for name, member in old.items() if name not in new}, **given}


def _same(overrides: object, written: Document | None) -> object:
    """Overrides of one entry, with the values that it was written with."""
    if not isinstance(overrides, Mapping) or written is None:
        return None
    return {
        name: _same(member, _mapping(written.get(name))) if name == "price" else written.get(name)
        for name, member in overrides.items()
    }


def _located(fault: Fault, document: Document) -> Fault:
    """A fault of the plan's document where its overrides have it: entries are told by their keys."""
    name, _, rest = fault.path.partition(".")
    index, _, inside = rest.partition(".")
    if name not in KEYED or not index.isdigit():
        return Fault(f"{PATH}.{fault.path}" if fault.path else PATH, fault.message)
    key = list(_by_key(document, name))[int(index)]
    return Fault(".".join(part for part in (PATH, name, key, inside) if part), fault.message)


def _by_key(document: Document, name: str) -> dict[str, Document]:
    """The items, credits or entitlements of a plan that was read before."""
    entries = document.get(name) or ()
    assert isinstance(entries, list | tuple)
    return {str(entry[KEYED[name]]): entry for entry in entries}


def _mapping(value: object) -> Document:
    return value if isinstance(value, Mapping) else {}
