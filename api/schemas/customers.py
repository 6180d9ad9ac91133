"""Customers, in and out."""

import re
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

from api.schemas.fields import Body, Key, Metadata, Name, read_with
from domain import reading
from domain.customers import Billing
from domain.errors import Invalid
from domain.timezones import read_timezone

LONGEST_EMAIL = 320
MOST_TAX_RATES = 20

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def _email(value: object) -> str:
    address = reading.text(value)
    if len(address) > LONGEST_EMAIL or _EMAIL.fullmatch(address) is None:
        raise Invalid.at("", "must be an email address")
    return address


def _keys(value: object) -> tuple[str, ...]:
    keys = reading.list_of(reading.key, MOST_TAX_RATES)(value)
    if len(set(keys)) < len(keys):
        raise Invalid.at("", "names one twice")
    return keys


Email = Annotated[
    str,
    read_with(_email),
    WithJsonSchema({"type": "string", "format": "email", "examples": ["billing@acme.example"]}),
]
Timezone = Annotated[
    str,
    read_with(read_timezone),
    WithJsonSchema({"type": "string", "examples": ["America/New_York"]}),
]
TaxRates = Annotated[
    tuple[str, ...],
    read_with(_keys),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string"},
            "uniqueItems": True,
            "maxItems": MOST_TAX_RATES,
            "examples": [["vat"]],
        }
    ),
]


class CustomerChanges(Body):
    """What may change of a customer; what is left out stays. Subscriptions keep the timezone they began with."""

    name: Name | None = Field(default=None, examples=["Acme Inc."])
    email: Email | None = None
    timezone: Timezone = "UTC"
    tax_rates: TaxRates = Field(default=(), description="Keys of tax rates, for invoices to come.")
    metadata: Metadata = Field(default={}, description="Your own notes.")
    parent: Key | None = Field(
        default=None,
        description="Id or key of the customer it belongs to, which belongs to nobody itself.",
        examples=[None],
    )
    billing: Billing = Field(
        default="self",
        description="`parent`: the parent pays for the subscriptions that begin from now on.",
    )


class NewCustomer(CustomerChanges):
    """A customer: who is billed."""

    key: Key | None = Field(default=None, description="Your name for it; its id if not given.")
    test_clock: str | None = Field(
        default=None,
        max_length=reading.LONGEST_KEY,
        description="The id of the test clock this customer lives by, for ever; in test environments.",
        examples=[None],
    )


class Customer(BaseModel):
    """Who is billed."""

    id: str = Field(examples=["cus_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    key: str = Field(examples=["acme"])
    name: str | None = Field(examples=["Acme Inc."])
    email: str | None = Field(examples=["billing@acme.example"])
    timezone: str = Field(examples=["America/New_York"])
    tax_rates: list[str] = Field(examples=[["vat"]])
    test_clock: str | None = Field(examples=[None])
    parent: str | None = Field(
        description="The key of the customer it belongs to.", examples=[None]
    )
    billing: Billing = Field(description="Who pays for its subscriptions: itself, or its parent.")
    payment_method: str | None = Field(
        description="The provider's id of the method that is charged.",
        examples=["pm_1Q0PsIJvEtkwdCNY"],
    )
    metadata: dict[str, str] = Field(examples=[{"crm": "0042"}])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class CustomerPage(BaseModel):
    data: list[Customer]
    next: str | None = Field(examples=[None])
