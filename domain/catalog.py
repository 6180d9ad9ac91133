"""What a tenant sells, read from its documents: plans, features, coupons and tax rates, each validated whole."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Literal, TypeVar, cast

from domain.calendar import (
    ANNIVERSARY,
    Interval,
    read_anchor,
    read_interval,
    require_alignment,
)
from domain.credits import DEFAULT_PRIORITY, read_priority, read_scope_of_items
from domain.currencies import read_currency
from domain.customers import Coupon, TaxRate
from domain.errors import Fault, Invalid
from domain.metering.meter import Meter
from domain.money import settle
from domain.plans import (
    AdvanceInvoicing,
    Charged,
    Entitlement,
    Feature,
    Item,
    Plan,
    PlanCredit,
    Proration,
)
from domain.pricing.matrix import Matrix
from domain.pricing.price import read_price, usage_shape
from domain.reading import (
    Fields,
    Parser,
    boolean,
    integer,
    key,
    list_of,
    not_negative,
    one_of,
    percent,
    positive,
    text,
)

_T = TypeVar("_T")
_FeatureType = Literal["boolean", "metered"]
_Duration = tuple[Literal["once", "forever", "periods"], int | None]
_Keys = tuple[str, ...]

_ONCE: _Duration = ("once", None)
_EVERYTHING: _Keys = ()
_UNLIMITED: tuple[_Keys, _Keys] = (_EVERYTHING, _EVERYTHING)

MOST_ITEMS = 200


def read_plan(
    value: object,
    version: int = 1,
    currency: str | None = None,
    invoicing: AdvanceInvoicing = "each",
    grace: Interval | None = None,
) -> Plan:
    """Read a plan of contract §4; raises Invalid with every fault. `currency`, `invoicing` and `grace` are those of a
    plan that names none; without a currency, a plan must.
    """
    fields = Fields(value)
    fields.nullable("description", text)
    usual = fields.optional("advance_invoicing", read_advance_invoicing, invoicing)
    plan_key = fields.required("key", key)
    plan = Plan(
        key=plan_key,
        version=version,
        name=fields.optional("name", text, plan_key),
        currency=_currency_of(fields, currency),
        interval=fields.required("interval", read_interval),
        anchor=fields.optional("anchor", read_anchor, ANNIVERSARY),
        proration=cast(
            Proration, fields.optional("proration", one_of("second", "day", "none"), "second")
        ),
        items=fields.optional(
            "items", _keyed(partial(_read_item, invoicing=usual or "each"), "key"), ()
        ),
        trial=fields.nullable("trial", read_interval),
        minimum_commitment=fields.nullable("minimum_commitment", not_negative),
        commitment_overage_factor=fields.optional(
            "commitment_overage_factor", not_negative, Fraction(1)
        ),
        credits=fields.optional("credits", _keyed(_read_credit, "key"), ()),
        entitlements=fields.optional("entitlements", _keyed(_read_entitlement, "feature"), ()),
        invoice_grace=fields.nullable("invoice_grace", read_interval) or grace,
    )
    _refuse_contradictions(fields, plan)
    fields.done()
    return plan


def require_known(plan: Plan, meters: Mapping[str, Meter], features: Mapping[str, Feature]) -> None:
    """Raise Invalid where a plan names a meter or a feature that there is not, or one that does not fit."""
    faults = [*_unfit_meters(plan, meters), *_unfit_features(plan, features)]
    if faults:
        raise Invalid(faults)


def read_feature(value: object) -> Feature:
    """Read `{"key", "type": "boolean" | "metered", "meter"}`."""
    fields = Fields(value)
    fields.nullable("name", text)
    feature = Feature(
        key=fields.required("key", key),
        type=cast(_FeatureType, fields.required("type", one_of("boolean", "metered"))),
        meter=fields.nullable("meter", key),
    )
    if feature.type == "metered" and not fields.has("meter"):
        fields.refuse("meter", "is required for a metered feature")
    if feature.type == "boolean" and fields.has("meter"):
        fields.refuse("meter", "is for metered features")
    fields.done()
    return feature


def read_coupon(value: object, currency: str | None = None) -> Coupon:
    """Read `{"key", "percent_off" or "amount_off", "duration", "scope", "currency"}`; `currency` is the one of an
    amount that names none.
    """
    fields = Fields(value)
    fields.nullable("name", text)
    duration, periods = fields.optional("duration", _read_duration, _ONCE) or _ONCE
    items, plans = fields.optional("scope", _read_scope, _UNLIMITED) or _UNLIMITED
    amount_off = fields.nullable("amount_off", positive)
    given = fields.nullable("currency", read_currency)
    coupon = Coupon(
        key=fields.required("key", key),
        duration=duration,
        periods=periods,
        percent_off=fields.nullable("percent_off", percent),
        amount_off=amount_off,
        currency=given or (currency if amount_off is not None else None),
        items=items,
        plans=plans,
    )
    if fields.has("percent_off") == fields.has("amount_off"):
        fields.refuse("percent_off", "either this or amount_off must be given")
    elif fields.has("amount_off"):
        _require_settled(fields, "amount_off", coupon.amount_off, coupon.currency)
    fields.done()
    return coupon


def read_tax_rate(value: object) -> TaxRate:
    """Read `{"key", "percent", "inclusive": false}`."""
    fields = Fields(value)
    fields.nullable("name", text)
    rate = TaxRate(
        key=fields.required("key", key),
        percent=fields.required("percent", percent),
        inclusive=fields.optional("inclusive", boolean, False),
    )
    fields.done()
    return rate


def read_advance_invoicing(value: object) -> AdvanceInvoicing:
    """When usage that is charged as it arrives is invoiced."""
    return cast(AdvanceInvoicing, one_of("each", "day", "period")(value))


def _read_item(value: object, invoicing: AdvanceInvoicing = "each") -> Item:
    fields = Fields(value)
    fields.nullable("name", text)
    kind = cast(
        Literal["recurring", "usage"], fields.required("kind", one_of("recurring", "usage"))
    )
    usual = "in_advance" if kind == "recurring" else "in_arrears"
    included = fields.nullable("included", not_negative)
    item = Item(
        key=fields.required("key", key),
        kind=kind,
        charged=cast(
            Charged, fields.optional("charged", one_of("in_advance", "in_arrears"), usual)
        ),
        price=fields.required("price", read_price),
        quantity=fields.optional("quantity", not_negative, Fraction(1)),
        meter=fields.nullable("meter", key),
        advance_invoicing=fields.optional("advance_invoicing", read_advance_invoicing, invoicing),
    )
    _refuse_misplaced(fields, item)
    if included is not None and item.price is not None:
        item = _including(fields, item, included)
    fields.done()
    return item


def _refuse_misplaced(fields: Fields, item: Item) -> None:
    """Refuse what one kind of item does not have."""
    if item.kind == "usage":
        if not fields.has("meter"):
            fields.refuse("meter", "is required for a usage item")
        if fields.has("quantity"):
            fields.refuse("quantity", "is for recurring items: a usage item's is measured")
    elif item.kind == "recurring":
        if fields.has("meter"):
            fields.refuse("meter", "is for usage items")
        if item.price is not None and usage_shape(item.price) != "quantity":
            fields.refuse("price.model", "charges usage: a recurring item has only a quantity")
    if fields.has("advance_invoicing") and (item.kind, item.charged) != ("usage", "in_advance"):
        fields.refuse("advance_invoicing", "is for usage items charged in advance")


def _including(fields: Fields, item: Item, included: Fraction) -> Item:
    if usage_shape(item.price) != "quantity":
        fields.refuse("included", "is not taken by a price of groups or events")
    elif item.price.included:
        fields.refuse("included", "is given in the price as well")
    return replace(item, price=replace(item.price, included=included))


def _read_credit(value: object) -> PlanCredit:
    fields = Fields(value)
    credit = PlanCredit(
        key=fields.required("key", key),
        amount=fields.required("amount", positive),
        every_period=fields.optional("every_period", boolean, True),
        expires_after=fields.nullable("expires_after", read_interval),
        priority=fields.optional("priority", read_priority, DEFAULT_PRIORITY),
        items=fields.optional("scope", read_scope_of_items, _EVERYTHING),
    )
    fields.done()
    return credit


def _read_entitlement(value: object) -> Entitlement:
    fields = Fields(value)
    kind = cast(_FeatureType, fields.required("type", one_of("boolean", "metered")))
    on_limit = fields.optional("on_limit", one_of("block", "allow", "notify"), "block")
    entitlement = Entitlement(
        feature=fields.required("feature", key),
        type=kind,
        value=fields.optional("value", boolean, True),
        limit=fields.nullable("limit", not_negative),
        on_limit=cast(Literal["block", "allow", "notify"], on_limit),
    )
    if kind == "boolean" and (fields.has("limit") or fields.has("on_limit")):
        fields.refuse("limit", "is for metered features")
    fields.done()
    return entitlement


def _refuse_contradictions(fields: Fields, plan: Plan) -> None:
    if fields.has("commitment_overage_factor") and not fields.has("minimum_commitment"):
        fields.refuse("minimum_commitment", "is required where there is an overage factor")
    if isinstance(plan.interval, Interval) and plan.anchor is not None:
        try:
            require_alignment(plan.interval, plan.anchor)
        except Invalid as invalid:
            for fault in invalid.faults:
                fields.refuse(fault.path, fault.message)
    for index, credit in enumerate(plan.credits or () if plan.currency else ()):
        _require_settled(fields, f"credits.{index}.amount", credit.amount, plan.currency)


def _require_settled(
    fields: Fields, path: str, amount: Fraction | None, currency: str | None
) -> None:
    """Refuse an amount that no one could be paid: one with more decimals than its currency has."""
    if currency is None:
        fields.refuse("currency", "is required")
    elif amount is not None and settle(amount, currency).exact != amount:
        fields.refuse(path, f"has more decimals than {currency} has")


def _currency_of(fields: Fields, usual: str | None) -> str:
    if usual is None:
        return fields.required("currency", read_currency)
    return fields.optional("currency", read_currency, usual)


def _read_duration(value: object) -> _Duration:
    if value == "once":
        return "once", None
    if value == "forever":
        return "forever", None
    if not isinstance(value, Mapping):
        raise Invalid.at("", 'must be once, forever or {"periods": n}')
    fields = Fields(value)
    periods = fields.required("periods", integer(1, 10_000))
    fields.done()
    return "periods", periods


def _read_scope(value: object) -> tuple[_Keys, _Keys]:
    fields = Fields(value)
    items = fields.optional("items", list_of(key), _EVERYTHING)
    plans = fields.optional("plans", list_of(key), _EVERYTHING)
    fields.done()
    return items, plans


def _keyed(parse: Parser[_T], name: str) -> Parser[tuple[_T, ...]]:
    """A list in which no two entries have the same `name`."""

    def parse_list(value: object) -> tuple[_T, ...]:
        entries = list_of(parse, MOST_ITEMS)(value)
        names = [getattr(entry, name) for entry in entries]
        twice = [i for i, named in enumerate(names) if named in names[:i]]
        if twice:
            raise Invalid(Fault(f"{i}.{name}", f"is there twice: {names[i]}") for i in twice)
        return entries

    return parse_list


def _unfit_meters(plan: Plan, meters: Mapping[str, Meter]) -> Iterable[Fault]:
    for index, item in enumerate(plan.items):
        if item.meter is None:
            continue
        meter = meters.get(item.meter)
        if meter is None:
            yield Fault(f"items.{index}.meter", f"there is no meter {item.meter}")
        elif isinstance(item.price.model, Matrix):
            grouped = {dimension.name for dimension in meter.group_by}
            missing = [name for name in item.price.model.dimensions if name not in grouped]
            if missing:
                message = f"does not group by {', '.join(missing)}, as the price does"
                yield Fault(f"items.{index}.meter", message)


def _unfit_features(plan: Plan, features: Mapping[str, Feature]) -> Iterable[Fault]:
    for index, entitlement in enumerate(plan.entitlements):
        feature = features.get(entitlement.feature)
        if feature is None:
            message = f"there is no feature {entitlement.feature}"
            yield Fault(f"entitlements.{index}.feature", message)
        elif feature.type != entitlement.type:
            yield Fault(f"entitlements.{index}.type", f"must be {feature.type}, as the feature is")
