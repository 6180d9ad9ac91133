"""Test clocks, in and out."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.fields import Body, Instant, Name


class NewTestClock(Body):
    name: Name = Field(default="test clock", examples=["January"])
    now: Instant = Field(description="What it shows first.")


class Advance(Body):
    to: Instant = Field(description="What it is to show; never before what it shows now.")
    due: Literal["through", "before"] = Field(
        default="through",
        description="Whether what is due at that very instant happens (`through`) or not yet (`before`).",
    )


class TestClock(BaseModel):
    """A clock of its own for customers in a test environment: their time goes on when it is advanced."""

    id: str = Field(examples=["clk_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    name: str = Field(examples=["January"])
    now: str = Field(examples=["2026-01-01T00:00:00Z"])
    status: Literal["ready", "advancing"]
    advancing_to: str | None = Field(examples=[None])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class TestClockPage(BaseModel):
    data: list[TestClock]
    next: str | None = Field(examples=[None])
