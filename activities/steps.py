"""Every side effect a workflow may ask for. Declared here, performed beside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from temporalio import activity

from domain.commands import Request
from domain.dunning import Collection
from domain.subscription import Phase, Subscription


@dataclass(frozen=True, slots=True)
class Begin:
    """The start of a subscription, or the end of its trial. `at` is the business instant."""

    subscription: Subscription
    at: datetime


@dataclass(frozen=True, slots=True)
class EndPeriod:
    subscription: Subscription
    at: datetime


@dataclass(frozen=True, slots=True)
class CarryOut:
    subscription: Subscription
    request: Request
    at: datetime


@dataclass(frozen=True, slots=True)
class ExpireGrant:
    """`subscription` is the one whose timer it is; None where the grant has a workflow of its own."""

    environment: str
    grant: str
    at: datetime
    subscription: Subscription | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a step brought: the subscription as it now is, the collections to start, the asker's answer."""

    subscription: Subscription
    collections: tuple[Collection, ...] = ()
    answer: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopUp:
    """Paid for, then granted. `request` names it: `topup:{request}` is invoice, charge and grant."""

    environment: str
    request: str
    customer: str
    key: str
    amount: str
    currency: str
    at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ToppedUp:
    invoice: str
    status: str
    grant: str | None = None
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptPayment:
    """One attempt. `attempt` is the business number of it (1, 2, …), never the infrastructure's."""

    collection: Collection
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True)
class LookUpPayment:
    """Read an attempt's outcome from the provider again: a webhook said it changed."""

    collection: Collection
    at: datetime


@dataclass(frozen=True, slots=True)
class AdvanceClock:
    """Take a test clock to `to`: let all that is due happen, instant by instant, up to `through` at the last."""

    environment: str
    clock: str
    to: datetime
    through: Phase = Phase.DONE


@dataclass(frozen=True, slots=True)
class UsageSnapshot:
    """What a subscription has used of each meter in its current period, up to a watermark of the usage log: the
    signal `usage`. Lost, doubled or reordered it does no harm: only a newer watermark counts.
    """

    watermark: int
    at: datetime
    totals: Mapping[str, str]
    events: int = 0


@dataclass(frozen=True, slots=True)
class PumpUsage:
    """Follow the usage log of the environments in one shard of `shards`, for so many rounds."""

    shard: int
    shards: int
    rounds: int


class Steps:
    @activity.defn
    async def begin(self, step: Begin) -> Turn:
        """Enter the trial or the first period: invoice what is charged in advance."""
        raise NotImplementedError

    @activity.defn
    async def end_period(self, step: EndPeriod) -> Turn:
        """Fix the cut-off, rate the period, issue its invoice with the next advance, renew or end."""
        raise NotImplementedError

    @activity.defn
    async def carry_out(self, step: CarryOut) -> Turn:
        """Do what was asked of the subscription, once, with what it bills."""
        raise NotImplementedError

    @activity.defn
    async def expire_grant(self, step: ExpireGrant) -> Turn | None:
        """Post what is left of a grant as breakage."""
        raise NotImplementedError

    @activity.defn
    async def top_up(self, step: TopUp) -> ToppedUp:
        """Invoice, charge and grant a top-up; a decline voids the invoice and grants nothing."""
        raise NotImplementedError

    @activity.defn
    async def attempt_payment(self, step: AttemptPayment) -> Collection:
        """Charge the customer for an invoice once under the attempt's name, and record the answer."""
        raise NotImplementedError

    @activity.defn
    async def look_up_payment(self, step: LookUpPayment) -> Collection:
        """Re-read what became of the last attempt and record it."""
        raise NotImplementedError

    @activity.defn
    async def advance_clock(self, step: AdvanceClock) -> None:
        """Drive every life on the clock to the instant, in the order of what is due."""
        raise NotImplementedError

    @activity.defn
    async def pump_usage(self, step: PumpUsage) -> None:
        """Follow the usage log: add to rollups, move the watermark, tell subscriptions what they used."""
        raise NotImplementedError
