"""What became of credit."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.billing import Document, LedgerEntry


class LinePaid(Document):
    line: int = Field(description="Its number on the invoice, from 1.", examples=[2])
    item: str | None = Field(examples=["tokens"])
    amount: str = Field(examples=["2.50"])


_LINES = Field(description="What it paid of each line.")


class GrantMovement(LedgerEntry):
    """A movement of one grant, and what it left."""

    remaining: str = Field(examples=["7.50"])
    other_grant: str | None = Field(
        description="Of a transfer: the id of the grant that gave, or took.", examples=[None]
    )
    invoice: str | None = Field(
        description="The one that it paid, or gives back what it paid.", examples=["INV-000002"]
    )
    lines: list[LinePaid] = _LINES


class GrantMovementPage(BaseModel):
    data: list[GrantMovement]
    next: str | None = Field(examples=[None])


class AppliedCredit(Document):
    """What a grant or a credit note paid of an invoice."""

    source: Literal["promotional", "prepaid", "credit_note"]
    grant: str | None = Field(
        description="Its id.", examples=["crg_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"]
    )
    key: str | None = Field(description="The grant's.", examples=["welcome"])
    credit_note: str | None = Field(description="Its number.", examples=[None])
    amount: str = Field(examples=["2.50"])
    lines: list[LinePaid] = _LINES


class AppliedCredits(Document):
    """What paid an invoice by credit, in the order in which it did."""

    invoice: str = Field(examples=["INV-000002"])
    currency: str = Field(examples=["USD"])
    data: list[AppliedCredit]
