"""What a tenant sells, read from its documents: plans, coupons and tax rates, each validated whole."""

from collections.abc import Iterator, Mapping
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
from domain.currencies import read_currency
from domain.customers import Coupon, TaxRate
from domain.errors import Invalid
from domain.features import read_entitlements, unfit_entitlements
from domain.fitting import unfit_items
from domain.items import read_advance_invoicing, read_commitment, read_item, read_threshold
from domain.metering.meter import Meter
from domain.money import settle
from domain.plan_credits import amounts_given, read_bonuses, read_credit
from domain.plans import AdvanceInvoicing, Feature, Plan, Proration, Threshold
from domain.reading import (
    Fields,
    Parser,
    boolean,
    instant,
    integer,
    key,
    keyed,
    list_of,
    not_negative,
    one_of,
    percent,
    positive,
    text,
)

_T = TypeVar("_T")
_C = TypeVar("_C", bound=str)
_Duration = tuple[Literal["once", "forever", "periods"], int | None]
_Keys = tuple[str, ...]

_ONCE: _Duration = ("once", None)
_EVERYTHING: _Keys = ()
_UNLIMITED: tuple[_Keys, _Keys] = (_EVERYTHING, _EVERYTHING)

MOST_REDEMPTIONS = 2**31 - 1

_LIMIT = integer(1, MOST_REDEMPTIONS)


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
    minimum_commitment, overage_factor = read_commitment(fields)
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
            "items", keyed(partial(read_item, invoicing=usual or "each"), "key"), ()
        ),
        trial=fields.nullable("trial", read_interval),
        minimum_commitment=minimum_commitment,
        commitment_overage_factor=overage_factor,
        credits=fields.optional("credits", keyed(read_credit, "key"), ()),
        top_up_bonuses=fields.optional("top_up_bonuses", read_bonuses, ()),
        entitlements=fields.optional("entitlements", read_entitlements, ()),
        invoice_grace=fields.nullable("invoice_grace", read_interval) or grace,
        fills_gaps=fields.optional("fills_gaps", boolean, False),
        trial_without_payment_method=_read_trial_policy(fields),
        activation=_choice(fields, "activation", "immediate", "first_payment"),
        on_past_due=_choice(fields, "on_past_due", "continue", "suspend"),
        on_uncollectible=_choice(fields, "on_uncollectible", "continue", "pause", "cancel"),
        overdraft=fields.optional("overdraft", not_negative, Fraction(0)),
        progressive_invoicing=fields.nullable("progressive_invoicing", read_threshold),
    )
    _refuse_contradictions(fields, plan)
    fields.done()
    return plan


def require_known(plan: Plan, meters: Mapping[str, Meter], features: Mapping[str, Feature]) -> None:
    """Raise Invalid where a plan names a meter or a feature that there is not, or one that does not fit."""
    faults = [*unfit_items(plan, meters), *unfit_entitlements(plan.entitlements, features)]
    if faults:
        raise Invalid(faults)


def read_coupon(value: object, currency: str | None = None) -> Coupon:
    """Read `{"key", "percent_off" or "amount_off", "duration", "scope", "currency"}` and the limits of its use;
    `currency` is the one of an amount that names none.
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
        max_redemptions=fields.nullable("max_redemptions", _LIMIT),
        max_redemptions_per_customer=fields.nullable("max_redemptions_per_customer", _LIMIT),
        redeem_by=fields.nullable("redeem_by", instant),
        expires_at=fields.nullable("expires_at", instant),
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


def _read_trial_policy(fields: Fields) -> Literal["continue", "pause", "cancel"]:
    """What becomes of a trial that ends where there is nothing to pay with."""
    policies = one_of("continue", "pause", "cancel")
    policy = fields.optional("trial_without_payment_method", policies, "continue")
    if policy != "continue" and not fields.has("trial"):
        fields.refuse("trial_without_payment_method", "is for plans with a trial")
    return cast(Literal["continue", "pause", "cancel"], policy)


def _choice(fields: Fields, name: str, usual: _C, *others: _C) -> _C:
    return fields.optional(name, cast(Parser[_C], one_of(usual, *others)), usual)


def _refuse_contradictions(fields: Fields, plan: Plan) -> None:
    if isinstance(plan.interval, Interval) and plan.anchor is not None:
        try:
            require_alignment(plan.interval, plan.anchor)
        except Invalid as invalid:
            for fault in invalid.faults:
                fields.refuse(fault.path, fault.message)
    if plan.progressive_invoicing is not None and not _has_usage_in_arrears(plan):
        fields.refuse("progressive_invoicing", "is for plans with usage charged in arrears")
    if plan.currency:
        for path, amount in _amounts_to_settle(plan):
            _require_settled(fields, path, amount, plan.currency)


def _has_usage_in_arrears(plan: Plan) -> bool:
    items = plan.items or ()
    return any((item.kind, item.charged) == ("usage", "in_arrears") for item in items)


def _amounts_to_settle(plan: Plan) -> Iterator[tuple[str, Fraction]]:
    yield "overdraft", plan.overdraft or Fraction(0)
    if plan.progressive_invoicing is not None:
        yield "progressive_invoicing.threshold", plan.progressive_invoicing.amount
    yield from amounts_given(plan)
    for index, item in enumerate(plan.items or ()):
        if isinstance(item.advance_invoicing, Threshold):
            path = f"items.{index}.advance_invoicing.threshold"
            yield path, item.advance_invoicing.amount


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
