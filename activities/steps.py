"""Every side effect a workflow may ask for. Declared here, performed beside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from temporalio import activity

from domain.commands import Request
from domain.credits import TopUpOrder
from domain.dunning import Collection
from domain.subscription import Phase, Subscription

REFUSED = "refused"  # the first detail of an error by which a rule said no: an answer, not a fault


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Where a clock stands: what is due at `at`, up to `phase`, may happen."""

    at: datetime
    phase: Phase = Phase.DONE


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
class StartWindow:
    """A window of usage that is charged as it arrives has just begun."""

    subscription: Subscription
    at: datetime


@dataclass(frozen=True, slots=True)
class EndDay:
    """The end of a day in which usage was gathered."""

    subscription: Subscription
    at: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """Usage that a subscription charges as it arrives, or that came after its final invoice: the events of one
    transaction of the usage log, the last of which is `event`. `at` is given on a test clock.
    """

    environment: str
    subscription: str
    transaction: int
    event: str
    at: datetime | None = None
    test_clock: str | None = None


@dataclass(frozen=True, slots=True)
class ChargeUsage:
    """`subscription` is None where its life is over, and only the books know it."""

    arrival: Arrival
    at: datetime
    subscription: Subscription | None = None


@dataclass(frozen=True, slots=True)
class CarryOut:
    subscription: Subscription
    request: Request
    at: datetime


@dataclass(frozen=True, slots=True)
class DoScheduled:
    """The time of a change on the subscription's schedule has come; `change` is its id."""

    subscription: Subscription
    change: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExpireGrant:
    """A plan's grant, which its subscription watches over."""

    subscription: Subscription
    grant: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GrantLife:
    """A grant that ends. `customer` and `test_clock` are its owner's."""

    environment: str
    grant: str
    customer: str
    expires_at: datetime
    test_clock: str | None = None


@dataclass(frozen=True, slots=True)
class SendRefund:
    """Money that a decision gave back. `refund` is its business name, unique for ever."""

    environment: str
    refund: str
    at: datetime
    test_clock: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a step brought: the subscription as it now is, what to set going, the asker's answer. `voided` are the ids of
    invoices whose collection is to be told that they were taken back.
    """

    subscription: Subscription
    collections: tuple[Collection, ...] = ()
    refunds: tuple[SendRefund, ...] = ()
    answer: Mapping[str, object] = field(default_factory=dict)
    begins: tuple[Subscription, ...] = ()
    voided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TopUp:
    """Paid for, then granted. `request` names it: `topup:{request}` is the invoice. `customer` is an id,
    `currency` the one the customer usually pays in. `is_automatic` where a rule has asked for it.
    """

    environment: str
    request: str
    customer: str
    order: TopUpOrder
    currency: str
    at: datetime
    test_clock: str | None = None
    is_automatic: bool = False


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """A top-up under way or over. `grant` is what is granted once it is paid, and `bonus` what comes with it; each is told
    only where it ends.
    """

    collection: Collection
    grant: GrantLife | None = None
    bonus: GrantLife | None = None


@dataclass(frozen=True, slots=True)
class CustomerActed:
    """A reason to attempt a payment at once, once for each `request`. `at` is given on a test clock."""

    request: str
    new_method: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pay:
    """The customer wants to pay what is open, with a new payment method where one is given: every unpaid
    invoice, or only `invoice`, is attempted at once, the oldest first.
    """

    environment: str
    request: str
    customer: str
    at: datetime
    payment_method: str | None = None
    invoice: str | None = None
    test_clock: str | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """What became of the invoices attempted, and the provider's id of the method that was attached."""

    collections: tuple[Collection, ...] = ()
    payment_method: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptPayment:
    """One attempt. `attempt` is the business number of it (1, 2, …), never the infrastructure's."""

    collection: Collection
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True)
class LookUpPayment:
    """Read again what became of an invoice, here and at the provider: someone said that it changed."""

    collection: Collection
    at: datetime


@dataclass(frozen=True, slots=True)
class AdvanceClock:
    """Take a test clock to `to`: let all that is due happen, moment by moment."""

    environment: str
    clock: str
    to: Moment


@dataclass(frozen=True, slots=True)
class Relay:
    """Send on what was written down but never arrived, `rounds` times."""

    rounds: int


@dataclass(frozen=True, slots=True)
class DeliverWebhooks:
    """Tell endpoints of what happened, and those again that did not hear it, for so many rounds."""

    rounds: int


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
    async def start_window(self, step: StartWindow) -> Turn:
        """Charge the usage that is charged as it arrives, and had arrived before its window began."""
        raise NotImplementedError

    @activity.defn
    async def end_day(self, step: EndDay) -> Turn:
        """Invoice what was gathered in a day of usage that is charged as it arrives."""
        raise NotImplementedError

    @activity.defn
    async def charge_usage(self, step: ChargeUsage) -> Turn:
        """Charge usage that has arrived, once for each transaction of the usage log."""
        raise NotImplementedError

    @activity.defn
    async def carry_out(self, step: CarryOut) -> Turn:
        """Do what was asked of the subscription, once, with what it bills."""
        raise NotImplementedError

    @activity.defn
    async def do_scheduled(self, step: DoScheduled) -> Turn:
        """Carry out a change whose time has come, with what it bills."""
        raise NotImplementedError

    @activity.defn
    async def expire_grant(self, step: ExpireGrant) -> Turn:
        """Post what is left of a plan's grant as breakage."""
        raise NotImplementedError

    @activity.defn
    async def end_grant(self, step: GrantLife) -> None:
        """Post what is left of any other grant as breakage."""
        raise NotImplementedError

    @activity.defn
    async def top_up(self, step: TopUp) -> ToppedUp:
        """Invoice a top-up. Its payment is what grants the credits; a decline voids the invoice."""
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
    async def send_refund(self, step: SendRefund) -> None:
        """Send money back, once under the refund's name, and record that it went."""
        raise NotImplementedError

    @activity.defn
    async def attach_payment_method(self, step: Pay) -> str | None:
        """Make the customer's new payment method the one that is charged."""
        raise NotImplementedError

    @activity.defn
    async def attempt_unpaid(self, step: Pay) -> tuple[Collection, ...]:
        """Have every unpaid invoice of the customer attempted, one after the other, the oldest first."""
        raise NotImplementedError

    @activity.defn
    async def advance_clock(self, step: AdvanceClock) -> None:
        """Drive every life on the clock to the instant, in the order of what is due."""
        raise NotImplementedError

    @activity.defn
    async def relay(self, step: Relay) -> None:
        """Send the requests that no workflow has got yet, and tell of the provider's events."""
        raise NotImplementedError

    @activity.defn
    async def pump_usage(self, step: PumpUsage) -> None:
        """Follow the usage log: add to rollups, move the watermark, tell subscriptions what they used."""
        raise NotImplementedError

    @activity.defn
    async def deliver_webhooks(self, step: DeliverWebhooks) -> None:
        """Follow the outbox: make a delivery for each endpoint that wants a fact, and attempt what is due."""
        raise NotImplementedError
