"""Collecting one invoice: what each answer of the provider means, and when to try again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from domain.invoices import Invoice
from domain.money import Money
from domain.subscription import Phase

RETRIES = (timedelta(days=3), timedelta(days=5), timedelta(days=7))  # after the first attempt
HARD_DECLINES = frozenset(
    {
        "stolen_card",
        "lost_card",
        "pickup_card",
        "incorrect_number",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "transaction_not_allowed",
        "highest_risk_level",
        "authentication_required",
    }
)

# So long an automatic top-up waits for the customer to confirm its payment. Nobody may be looking, and while it waits no
# other credit is bought.
CONFIRMED_WITHIN = timedelta(days=3)
NOT_CONFIRMED = "not_confirmed"

CollectionStatus = Literal["open", "past_due", "paid", "uncollectible", "void"]
AttemptStatus = Literal["succeeded", "failed", "requires_action", "processing"]
Awaiting = Literal["nothing", "customer", "method", "provider"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended, as the provider tells it."""

    status: AttemptStatus
    at: datetime
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """One invoice on its way to being paid. `attempts` counts the attempts that got an answer; an outage is none.

    `next_attempt_at` and `next_phase` are when to attempt next: None while it waits for the customer (to act, or
    to give a new `method`) or for the provider since `waits_since`, and when it is over. Retries are counted from
    `first_attempt_at`, which moves on by what a provider's delay has cost. A top-up is attempted without dunning; one that
    `is_automatic` does not wait for the customer for ever.
    """

    invoice: str
    customer: str
    amount_due: Money
    issued_at: datetime
    status: CollectionStatus = "open"
    attempts: int = 0
    first_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    next_phase: Phase = Phase.ARRIVED
    awaiting: Awaiting = "nothing"
    waits_since: datetime | None = None
    purpose: Literal["invoice", "top_up"] = "invoice"
    environment: str = ""
    test_clock: str | None = None
    is_automatic: bool = False

    @property
    def is_unpaid(self) -> bool:
        """Whether money is still wanted; what was written off can still be paid."""
        return self.status in ("open", "past_due", "uncollectible")

    @property
    def gives_up_at(self) -> datetime | None:
        """When the payment that waits for the customer is taken back, if ever."""
        if not self.is_automatic or self.awaiting != "customer" or self.waits_since is None:
            return None
        return self.waits_since + CONFIRMED_WITHIN

    @property
    def due(self) -> tuple[datetime, Phase] | None:
        """What happens next by time alone, and in which phase: an attempt, or that it is given up."""
        if self.gives_up_at is not None:
            return self.gives_up_at, Phase.ATTEMPTS
        return None if self.next_attempt_at is None else (self.next_attempt_at, self.next_phase)


def begin_collection(
    invoice: Invoice,
    id: str,
    environment: str = "",
    test_clock: str | None = None,
    *,
    is_automatic: bool = False,
) -> Collection:
    """The collection of an invoice with an amount due, first attempted at once. `id` is what the books call it."""
    is_top_up = any(line.kind == "top_up" for line in invoice.lines)
    return Collection(
        invoice=id,
        customer=invoice.customer,
        amount_due=invoice.amount_due,
        issued_at=invoice.issued_at,
        next_attempt_at=invoice.issued_at,
        purpose="top_up" if is_top_up else "invoice",
        environment=environment,
        test_clock=test_clock,
        is_automatic=is_automatic,
    )


def is_wanted(collection: Collection, status: AttemptStatus, at: datetime) -> bool:
    """Whether a payment that the provider says is under way may go on: not where its invoice was settled otherwise, nor
    where it has waited for the customer for too long. One that the provider is at work on is never too late.
    """
    if not collection.is_unpaid:
        return False
    gives_up_at = collection.gives_up_at
    return status != "requires_action" or gives_up_at is None or at < gives_up_at


def goes_on(given_up: AttemptStatus) -> bool:
    """Whether an attempt that was given up for a new one is beyond that: paid meanwhile, or the provider is at work on it.
    Then there is no new one. If not, it stays on record as it was: nobody declined it.
    """
    return given_up in ("succeeded", "processing")


def taken_back(collection: Collection, answer: Answer) -> Answer:
    """The provider's answer to a payment that was taken back because it is not wanted any more: it may have been paid in
    the same instant, and then is. Where nobody confirmed it, that is why it failed.
    """
    if answer.status != "failed" or not collection.is_unpaid:
        return answer
    return replace(answer, failure_code=NOT_CONFIRMED)


def answered(collection: Collection, answer: Answer) -> Collection:
    """What the provider's answer makes of it: to the attempt that was due, or a later word on the last one."""
    if not collection.is_unpaid:
        return collection
    told = _counted(collection, answer)
    match answer.status:
        case "succeeded":
            return replace(told, status="paid")
        case "processing":
            return replace(told, awaiting="provider", waits_since=answer.at)
        case "requires_action":
            return replace(told, awaiting="customer", waits_since=answer.at)
        case "failed":
            return _declined(told, answer)
        case _:
            assert_never(answer.status)


def customer_acted(collection: Collection, at: datetime, new_method: bool) -> Collection:
    """The customer wants to pay, or gave a new payment method: attempt now. Changes nothing where that cannot
    help: it is paid, the provider is still at work on it, or the method was refused and is the same.
    """
    needs_method = collection.awaiting == "method" and not new_method
    if not collection.is_unpaid or collection.awaiting == "provider" or needs_method:
        return collection
    return replace(
        collection,
        next_attempt_at=at,
        next_phase=Phase.ARRIVED,
        awaiting="nothing",
        waits_since=None,
    )


def closed(collection: Collection, status: Literal["paid", "void", "uncollectible"]) -> Collection:
    """Settled by hand: paid elsewhere, taken back, or given up."""
    return replace(
        collection, status=status, next_attempt_at=None, awaiting="nothing", waits_since=None
    )


def _counted(collection: Collection, answer: Answer) -> Collection:
    """The attempt is over, and nothing is due for now; what the provider was late by moves the retries."""
    first = collection.first_attempt_at
    return replace(
        collection,
        attempts=collection.attempts + (collection.next_attempt_at is not None),
        first_attempt_at=answer.at if first is None else first + _delay(collection, answer.at),
        next_attempt_at=None,
        awaiting="nothing",
        waits_since=None,
    )


def _delay(collection: Collection, at: datetime) -> timedelta:
    """How much later than it was meant to be an answer came: a retry held up by an outage, or a payment that was
    on its way for days.
    """
    if collection.next_attempt_at is None:
        return at - (collection.waits_since or at)
    if collection.next_phase is Phase.ATTEMPTS:
        return at - collection.next_attempt_at
    return timedelta(0)


def _declined(collection: Collection, answer: Answer) -> Collection:
    if collection.purpose == "top_up":
        return replace(collection, status="void")
    late: CollectionStatus = "uncollectible" if collection.status == "uncollectible" else "past_due"
    if answer.failure_code in HARD_DECLINES:
        return replace(collection, status=late, awaiting="method")
    first = collection.first_attempt_at or answer.at
    retries = [first + delay for delay in RETRIES if first + delay > answer.at]
    if not retries:
        return replace(collection, status="uncollectible")
    return replace(collection, status=late, next_attempt_at=retries[0], next_phase=Phase.ATTEMPTS)
