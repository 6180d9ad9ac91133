"""Features and what gives them, read from their documents: of plans, of add-ons, and of overrides for one customer."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import cast

from domain.decimals import plain, read_decimal
from domain.errors import Fault, Invalid
from domain.plans import (
    Combine,
    Entitlement,
    Feature,
    FeatureType,
    OnLimit,
    Reset,
    Value,
)
from domain.reading import (
    Fields,
    boolean,
    key,
    keyed,
    list_of,
    not_negative,
    one_of,
    text,
)

LONGEST_VALUE = 100
OF_METERED = ("limit", "soft_limit", "on_limit", "reset", "carry_over", "carry_over_maximum")
DECIMALS = ("limit", "soft_limit", "carry_over_maximum")

_TYPE = one_of("boolean", "static", "metered")
_COMBINE = one_of("maximum", "sum")
_RESET = one_of("period", "day", "hour", "never")
_ON_LIMIT = one_of("block", "allow", "notify")


def read_feature(value: object) -> Feature:
    """Read `{"key", "type": "boolean" | "static" | "metered", "meter", "combine": "maximum" | "sum"}`."""
    fields = Fields(value)
    fields.nullable("name", text)
    feature = Feature(
        key=fields.required("key", key),
        type=cast(FeatureType, fields.required("type", _TYPE)),
        meter=fields.nullable("meter", key),
        combine=cast(Combine, fields.optional("combine", _COMBINE, "maximum")),
    )
    if feature.type == "metered":
        if not fields.has("meter"):
            fields.refuse("meter", "is required for a metered feature")
    elif feature.type is not None:
        for name in ("meter", "combine"):
            if fields.has(name):
                fields.refuse(name, "is for metered features")
    fields.done()
    return feature


def read_entitlement(value: object) -> Entitlement:
    """Read what a plan or an add-on gives of a feature, with its `feature` and `type`."""
    fields = Fields(value)
    feature = fields.required("feature", key)
    kind = cast(FeatureType, fields.required("type", _TYPE))
    entitlement = read_given(fields, feature, kind)
    fields.done()
    return entitlement


def read_given(fields: Fields, feature: str, kind: FeatureType) -> Entitlement:
    """The rest of an entitlement to a feature of that type. The caller asks `fields` whether all is read."""
    entitlement = Entitlement(
        feature=feature,
        type=kind,
        value=_read_value(fields, kind),
        limit=fields.nullable("limit", not_negative),
        on_limit=cast(OnLimit, fields.optional("on_limit", _ON_LIMIT, "block")),
        soft_limit=fields.nullable("soft_limit", not_negative),
        reset=cast(Reset, fields.optional("reset", _RESET, "period")),
        carry_over=fields.optional("carry_over", boolean, False),
        carry_over_maximum=fields.nullable("carry_over_maximum", not_negative),
    )
    if kind == "metered":
        _refuse_contradictions(fields, entitlement)
    elif kind is not None and (misplaced := [n for n in OF_METERED if fields.has(n)]):
        for name in misplaced:
            fields.refuse(name, "is for metered features")
    return entitlement


read_entitlements = keyed(read_entitlement, "feature")


def static_value(value: object) -> Value:
    """Text (a decimal is one, too), true or false, or a list of texts. A whole number is read as its decimal."""
    match value:
        case bool():
            return value
        case int():
            return _decimal_text(value)
        case list() | tuple():
            return list_of(text, LONGEST_VALUE)(value)
        case str():
            return text(value)
        case _:
            raise Invalid.at("", "must be text, a decimal string, true, false, or a list of texts")


def entitlement_document(entitlement: Entitlement) -> dict[str, object]:
    """An entitlement as its reader reads it, without what is not said."""
    document: dict[str, object] = {"feature": entitlement.feature, "type": entitlement.type}
    if entitlement.type != "metered":
        value = entitlement.value
        return {**document, "value": list(value) if isinstance(value, tuple) else value}
    document |= {"on_limit": entitlement.on_limit, "reset": entitlement.reset}
    if not entitlement.value:
        document["value"] = False
    if entitlement.carry_over:
        document["carry_over"] = True
    for name in DECIMALS:
        amount: Fraction | None = getattr(entitlement, name)
        if amount is not None:
            document[name] = plain(amount)
    return document


def unfit_entitlements(
    entitlements: Iterable[Entitlement], features: Mapping[str, Feature], path: str = "entitlements"
) -> Iterable[Fault]:
    """What is wrong with those that name a feature that there is not, or one of another type."""
    for index, entitlement in enumerate(entitlements):
        feature = features.get(entitlement.feature)
        if feature is None:
            yield Fault(f"{path}.{index}.feature", f"there is no feature {entitlement.feature}")
        elif feature.type != entitlement.type:
            yield Fault(f"{path}.{index}.type", f"must be {feature.type}, as the feature is")


def _read_value(fields: Fields, kind: FeatureType) -> Value:
    if kind != "static":
        return fields.optional("value", boolean, True)
    return fields.required("value", static_value)


def _decimal_text(value: int) -> str:
    try:
        return plain(read_decimal(str(value)))
    except ValueError as error:
        raise Invalid.at("", str(error)) from None


def _refuse_contradictions(fields: Fields, entitlement: Entitlement) -> None:
    limit, soft = entitlement.limit, entitlement.soft_limit
    if limit is not None and soft is not None and soft > limit:
        fields.refuse("soft_limit", "must not be above the limit")
    if entitlement.carry_over:
        if not fields.has("limit"):
            fields.refuse("carry_over", "is for what has a limit")
        if entitlement.reset == "never":
            fields.refuse("carry_over", "is for limits that are reset")
    elif fields.has("carry_over_maximum"):
        fields.refuse("carry_over_maximum", "is for what is carried over")
