"""Checks as they are asked for: one, or several at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from domain.errors import Invalid
from domain.features import read_given
from domain.plans import Entitlement, Feature
from domain.reading import Fields, instant, key, list_of, not_negative, text

MOST_CHECKS = 100

_ANY = Feature("", "metered")  # to read on where none is named, which is a fault


@dataclass(frozen=True, slots=True)
class Check:
    """May a customer, by id or key, use so much more of a feature, by key?"""

    customer: str
    feature: str
    quantity: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Given:
    """An override for one customer, as it is asked for."""

    entitlement: Entitlement
    reason: str
    expires_at: datetime | None = None


def read_checks(value: object) -> Check | tuple[Check, ...]:
    """Read `{"customer", "feature", "quantity": "1"}`, or `{"checks": […]}` of at most 100 such."""
    if not isinstance(value, Mapping) or "checks" not in value:
        return _read_check(value)
    fields = Fields(value)
    checks = fields.required("checks", list_of(_read_check, MOST_CHECKS))
    if checks == ():
        fields.refuse("checks", "must have at least one entry")
    fields.done()
    return checks


def read_override(value: object, features: Mapping[str, Feature], at: datetime) -> Given:
    """Read what one customer is given of one of these features: the members of an entitlement, a `reason`, and when it
    `expires_at`, which is after `at`. Nothing is taken away by it.
    """
    fields = Fields(value)
    named = fields.required("feature", key)
    if named is not None and named not in features:
        raise Invalid.at("feature", f"there is no feature {named}")
    feature = features.get(named, _ANY)
    given = Given(
        entitlement=read_given(fields, feature.key, feature.type),
        reason=fields.required("reason", text),
        expires_at=fields.nullable("expires_at", instant),
    )
    if feature.type != "static" and given.entitlement.value is False:
        message = "takes nothing away: override the subscription, or remove the override"
        fields.refuse("value", message)
    if given.expires_at is not None and given.expires_at <= at:
        fields.refuse("expires_at", "is past")
    fields.done()
    return given


def _read_check(value: object) -> Check:
    fields = Fields(value)
    check = Check(
        customer=fields.required("customer", key),
        feature=fields.required("feature", key),
        quantity=fields.optional("quantity", not_negative, Fraction(1)),
    )
    fields.done()
    return check
