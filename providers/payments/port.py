"""Taking money: what we ask of a payment provider, and what it answers.

A decline is an answer (`status="failed"`, with the provider's code); an outage is not, and raises `Unavailable`.
An outcome that is not known yet is asked for again under the same name, never charged under another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from domain.errors import Rejected, Unavailable
from domain.money import Money

PaymentStatus = Literal["succeeded", "failed", "requires_action", "processing"]
RefundStatus = Literal["succeeded", "pending", "failed"]


class AccessRefused(Unavailable):
    """The provider refuses our key: no payment can move until an operator puts that right."""

    code = "payment_access_refused"


class NotChargeable(Rejected):
    """The provider cannot take this amount: too small, too large, or finer than it counts."""

    code = "amount_not_chargeable"


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One attempt to take money. Every try of the attempt must ask for the same.

    `customer` and `payment_method` are the provider's ids; without a method the customer's default one is
    charged. `idempotency_key` names the attempt (at most 240 characters); `at` is when it fell due.
    `metadata` (text, at most 40 characters a name and 500 a value) comes back in the provider's events.
    Nothing of it can have been sent before `since`, where that is given, nor before `at` where it is not.
    `first_try` says that nothing of this attempt has been sent before, or so lately that its key is still known:
    it spares the lookup that every other try begins with.
    """

    customer: str
    payment_method: str | None
    amount: Money
    idempotency_key: str
    metadata: Mapping[str, str]
    at: datetime
    first_try: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentOutcome:
    """What became of an attempt.

    `intent` is the provider's id, empty where there was nothing to charge with. `received` is the money that
    arrived, zero until it did. `failure_code` is the decline's, `no_payment_method`, or `canceled`.
    """

    status: PaymentStatus
    intent: str
    failure_code: str | None
    received: Money


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    status: RefundStatus
    refund: str
    amount: Money
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """That something changed at the provider: a reason to read the object again, never a fact by itself.

    `object_id` is None for the few objects that have none. `intent` is the payment that the object is or
    belongs to (a refund, a dispute), where it names one. `environment` is taken from its metadata.
    """

    id: str
    type: str
    object_id: str | None
    intent: str | None
    environment: str | None
    metadata: Mapping[str, str]


class PaymentProvider(Protocol):
    """Every call raises `Unavailable` where the provider did not answer, `AccessRefused` where it refuses our
    key, and `Corrupt` where it does not understand us: our books name something that it does not know.
    """

    async def create_customer(
        self, key: str, *, name: str | None, email: str | None, idempotency_key: str
    ) -> str:
        """Make the customer known to the provider under our `key`; return the provider's id."""

    async def attach_payment_method(
        self, customer: str, payment_method: str, *, idempotency_key: str
    ) -> str:
        """Make `payment_method` the customer's default one; return its id, which may be a new one. Raises
        `Declined` where the issuer refuses it and `NotFound` where there is no such method.
        """

    async def charge(self, request: ChargeRequest) -> PaymentOutcome:
        """Take the money, once for each `idempotency_key` however often and however late it is asked for.
        Raises `NotChargeable` where the provider cannot take such an amount.
        """

    async def find(
        self, customer: str, idempotency_key: str, at: datetime
    ) -> PaymentOutcome | None:
        """What became of an attempt that fell due `at`; None where it never reached the provider."""

    async def read(self, intent: str) -> PaymentOutcome:
        """What has become of a payment by now."""

    async def cancel(self, intent: str) -> PaymentOutcome:
        """Give an unfinished payment up. The answer tells how it ended: it may have succeeded first."""

    async def refund(self, intent: str, amount: Money, *, idempotency_key: str) -> RefundOutcome:
        """Send money back, once for each `idempotency_key`. Raises `Conflict` where less is left to refund."""

    async def events_since(self, since: datetime) -> tuple[ProviderEvent, ...]:
        """What happened from `since` on, oldest first: makes up for webhooks that never came."""
