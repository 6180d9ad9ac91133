"""Invoices, credit notes, payments, credits and balances, as they are shown."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.fields import Body, Name

Period = tuple[str, str]
_JANUARY = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
_AT = "2026-01-01T00:00:00Z"


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Line(Document):
    """One charge. Lines add up to the subtotal, their shares to the discount, the credits and the tax."""

    item: str | None = Field(examples=["base"])
    kind: Literal[
        "recurring", "usage", "proration", "commitment", "late_usage", "one_off", "top_up"
    ]
    description: str = Field(examples=["Pro: base"])
    quantity: str = Field(examples=["1"])
    amount: str = Field(examples=["20.00"])
    exact_amount: str = Field(description="Before it was rounded.", examples=["20"])
    period: Period | None = Field(examples=[_JANUARY])
    discount: str = Field(examples=["0.00"])
    credits: str = Field(description="Its share of promotional credits.", examples=["0.00"])
    tax: str = Field(examples=["4.00"])
    plan: str | None = Field(examples=["pro"])
    credits_invoice: str | None = Field(
        description="The invoice that it takes a line of back: one on account, of a period that is billed now.",
        examples=[None],
    )


class AppliedDiscount(Document):
    coupon: str = Field(examples=["launch"])
    amount: str = Field(examples=["4.00"])


class AppliedTax(Document):
    rate: str = Field(examples=["vat"])
    percent: str = Field(examples=["20"])
    inclusive: bool
    amount: str = Field(examples=["4.00"])


class Invoice(Document):
    """What a customer owes. It stays as it was issued; only its status and what was paid change."""

    id: str | None = Field(
        description="Null in a preview.", examples=["inv_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"]
    )
    number: str | None = Field(examples=["INV-000001"])
    subscription: str | None = Field(examples=["acme-pro"])
    customer: str = Field(examples=["acme"])
    issued_at: str = Field(examples=[_AT])
    due_at: str = Field(examples=[_AT])
    status: Literal["draft", "open", "paid", "past_due", "uncollectible", "void"]
    currency: str = Field(examples=["USD"])
    lines: list[Line]
    subtotal: str = Field(examples=["20.00"])
    discount: str = Field(examples=["0.00"])
    credits_applied: str = Field(examples=["0.00"])
    promotional_credits: str = Field(examples=["0.00"])
    tax: str = Field(examples=["4.00"])
    total: str = Field(examples=["24.00"])
    credit_notes_applied: str = Field(examples=["0.00"])
    prepaid_credits: str = Field(examples=["0.00"])
    amount_due: str = Field(examples=["24.00"])
    amount_paid: str = Field(examples=["24.00"])
    discounts: list[AppliedDiscount]
    taxes: list[AppliedTax]


class InvoicePage(BaseModel):
    data: list[Invoice]
    next: str | None = Field(examples=[None])


class CreditNote(Document):
    """What is owed back to a customer: sent back, or left as a balance that pays later invoices."""

    id: str | None = Field(
        description="Null in a preview.", examples=["cn_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"]
    )
    number: str | None = Field(examples=["CN-000001"])
    subscription: str | None = Field(examples=["acme-pro"])
    customer: str = Field(examples=["acme"])
    issued_at: str = Field(examples=[_AT])
    reason: str = Field(examples=["unused"])
    currency: str = Field(examples=["USD"])
    lines: list[Line]
    subtotal: str = Field(examples=["21.00"])
    tax: str = Field(examples=["4.20"])
    total: str = Field(examples=["25.20"])
    refunded: str = Field(examples=["0.00"])
    remaining: str = Field(examples=["25.20"])


class CreditNotePage(BaseModel):
    data: list[CreditNote]
    next: str | None = Field(examples=[None])


class Payment(Document):
    """An attempt to collect an invoice, or a refund."""

    id: str = Field(examples=["pay_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    customer: str = Field(examples=["acme"])
    at: str = Field(examples=[_AT])
    kind: Literal["payment", "refund"]
    amount: str = Field(examples=["24.00"])
    currency: str = Field(examples=["USD"])
    status: Literal["succeeded", "failed", "requires_action", "processing"]
    failure_code: str | None = Field(examples=[None])
    attempt: int | None = Field(examples=[1])
    invoice: str = Field(examples=["INV-000001"])
    provider_id: str | None = Field(
        description="The payment provider's id of it, by which a customer can be asked to confirm it there.",
        examples=["pi_3MtwBwLkdIwHu7ix28a3tqPa"],
    )


class PaymentPage(BaseModel):
    data: list[Payment]
    next: str | None = Field(examples=[None])


class CreditGrant(Document):
    """Credit given to a customer, and what the ledger says is left of it."""

    id: str = Field(examples=["grt_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    key: str = Field(examples=["welcome"])
    customer: str = Field(examples=["acme"])
    kind: Literal["prepaid", "promotional"]
    currency: str = Field(examples=["USD"])
    amount: str = Field(examples=["10.00"])
    remaining: str = Field(examples=["7.50"])
    priority: int = Field(examples=[50])
    granted_at: str = Field(examples=[_AT])
    effective_at: str = Field(examples=[_AT])
    expires_at: str | None = Field(examples=["2026-03-01T00:00:00Z"])
    scope: dict[str, list[str]] | None = Field(examples=[{"items": ["tokens"]}])
    unit: str | None = Field(description="The unit that it was given in.", examples=["credits"])
    unit_rate: str | None = Field(
        description="What one of the unit was worth then.", examples=["0.01"]
    )
    unit_amount: str | None = Field(description="`amount` in the unit.", examples=["1000"])
    unit_remaining: str | None = Field(description="`remaining` in the unit.", examples=["750"])
    ended_at: str | None = Field(
        description="When it expired, was voided, or went over into a later one.", examples=[None]
    )


class CreditGrantPage(BaseModel):
    data: list[CreditGrant]
    next: str | None = Field(examples=[None])


class LedgerEntry(Document):
    """A movement of a grant's credit. The type says which way; only a transfer, which is told of both its grants, is below
    zero for the one that gives.
    """

    at: str = Field(examples=[_AT])
    type: Literal["grant", "burn", "transfer", "expire", "refund", "void"]
    grant: str = Field(examples=["welcome"])
    amount: str = Field(examples=["2.50"])


class LedgerPage(BaseModel):
    data: list[LedgerEntry]
    next: str | None = Field(examples=[None])


class Balance(Document):
    """What a customer has in one currency at an instant."""

    at: str = Field(examples=[_AT])
    customer: str = Field(examples=["acme"])
    currency: str = Field(examples=["USD"])
    promotional: str = Field(examples=["7.50"])
    prepaid: str = Field(examples=["20.00"])
    credit_notes: str = Field(examples=["0.00"])
    grants: dict[str, str] = Field(examples=[{"welcome": "7.50", "t1": "20.00"}])
    units: dict[str, str] = Field(
        description="What is left of the grants in each custom unit.", examples=[{"credits": "750"}]
    )
    known_at: str | None = Field(description="As it was known then.", examples=[None])


class Wallet(Document):
    """What a customer has in one currency right now: `available` is `posted` less `running` less `reserved`."""

    currency: str = Field(examples=["USD"])
    posted: str = Field(
        description="What live credit grants are worth by postings.", examples=["27.50"]
    )
    running: str = Field(
        description="What usage that no invoice has billed yet would come to on one.",
        examples=["3.20"],
    )
    reserved: str = Field(description="What holds claim.", examples=["0.75"])
    available: str = Field(examples=["23.55"])
    overdraft: str = Field(
        description="How far holds may go below zero, as the customer's plans allow.",
        examples=["0.00"],
    )


class Wallets(Document):
    """A customer's wallets, one a currency."""

    at: str = Field(examples=[_AT])
    customer: str = Field(examples=["acme"])
    data: list[Wallet]


class TopUpBonus(Document):
    """Promotional credit that a plan promises with a top-up."""

    grant: str | None = Field(
        description="Its id, once it is granted.", examples=["crg_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"]
    )
    key: str = Field(examples=["t1:bonus"])
    amount: str = Field(examples=["5.00"])
    currency: str = Field(examples=["USD"])
    expires_at: str | None = Field(examples=["2026-04-01T00:00:00Z"])


class TopUpResult(Document):
    """A top-up: its invoice, and the grant that it brings once that is paid, with the bonus that comes with it."""

    request: str | None = Field(
        description="Null in a preview.", examples=["req_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"]
    )
    status: Literal["paid", "void", "open", "past_due", "asked", "preview"] = Field(
        description="Of the invoice; `void` where the payment was declined. `asked`: still under way."
    )
    invoice: Invoice | None
    grant: CreditGrant | None
    bonus: TopUpBonus | None
    payment: Payment | None = Field(
        description="The last attempt. `requires_action`: the customer is to confirm it at the provider, and has the grant once it is paid."
    )
    failure_code: str | None = Field(
        description="Why the payment was declined, as the provider tells it.", examples=[None]
    )


class NewPaymentMethod(Body):
    payment_method: Name = Field(
        description="The provider's id of the method.", examples=["pm_card_visa"]
    )


class Paid(Document):
    """What became of an attempt to pay."""

    request: str = Field(examples=["req_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    status: Literal["done", "asked"]
    payment_method: str | None = Field(examples=["pm_1Q0PsIJvEtkwdCNY"])
    invoices: list[Invoice] = Field(description="Those that were attempted, as they are now.")


class Asks(Body):
    """A request that says nothing more."""

    reason: Name | None = Field(default=None, examples=["asked by phone"])
