"""What operators see of a life in Temporal's Web UI: attributes to find it by, and a few lines of text.

Attributes cost nothing where a run starts, so that is where most of them are set. `TenantId` is the environment
in whose books a life is: one tenant's live or test books.
"""

from collections.abc import Mapping
from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

with workflow.unsafe.imports_passed_through():
    from activities.steps import UsageSnapshot
    from domain.dunning import Collection
    from domain.reading import written
    from domain.subscription import Due, Reason, Subscription

BILLING_STATUS = SearchAttributeKey.for_keyword("BillingStatus")
CUSTOMER_ID = SearchAttributeKey.for_keyword("CustomerId")
PLAN_ID = SearchAttributeKey.for_keyword("PlanId")
TENANT_ID = SearchAttributeKey.for_keyword("TenantId")
CURRENCY = SearchAttributeKey.for_keyword("Currency")
PERIOD_END = SearchAttributeKey.for_datetime("PeriodEnd")
NEXT_ACTION_AT = SearchAttributeKey.for_datetime("NextActionAt")
AMOUNT_DUE = SearchAttributeKey.for_int("AmountDueMinor")
DUNNING_STEP = SearchAttributeKey.for_int("DunningStep")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")

WAITS_FOR: Mapping[Reason, str] = {
    "start": "it starts",
    "trial_end": "the trial ends",
    "scheduled_change": "a change on its schedule is made",
    "window_start": "usage that had come before is charged",
    "day_end": "a day's usage is charged",
    "period_end": "the period ends",
    "grant_expiry": "a grant expires",
}


def of_subscription(subscription: Subscription) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BILLING_STATUS, standing(subscription)),
        SearchAttributePair(CUSTOMER_ID, subscription.customer),
        SearchAttributePair(PLAN_ID, subscription.plan.key),
        SearchAttributePair(TENANT_ID, subscription.environment),
        SearchAttributePair(CURRENCY, subscription.currency),
        SearchAttributePair(NEEDS_ATTENTION, False),
    ]
    if subscription.period is not None:
        pairs.append(SearchAttributePair(PERIOD_END, subscription.period.end))
    if due := subscription.next_due():
        pairs.append(SearchAttributePair(NEXT_ACTION_AT, due.at))
    return TypedSearchAttributes(pairs)


def of_collection(collection: Collection) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BILLING_STATUS, collection.status),
        SearchAttributePair(CUSTOMER_ID, collection.customer),
        SearchAttributePair(TENANT_ID, collection.environment),
        SearchAttributePair(CURRENCY, collection.amount_due.currency),
        SearchAttributePair(AMOUNT_DUE, collection.amount_due.minor),
        SearchAttributePair(DUNNING_STEP, collection.attempts),
        SearchAttributePair(NEEDS_ATTENTION, False),
    ]
    return TypedSearchAttributes(pairs)


def changes(
    before: TypedSearchAttributes, after: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """What brings attributes that were shown up to date: each update of them costs."""
    updates = [key.value_set(value) for key, value in after if before.get(key) != value]
    gone = {key for key, _ in before} - {key for key, _ in after}
    return updates + [key.value_unset() for key in sorted(gone, key=lambda key: key.name)]


def standing(subscription: Subscription) -> str:
    """The status, and whether it is on its way out."""
    return "cancelling" if subscription.cancels_at_period_end else subscription.status


def summary_of(subscription: Subscription) -> str:
    return f"{subscription.key} · {subscription.plan.key} v{subscription.plan.version} · {subscription.currency}"


def details_of(subscription: Subscription, usage: UsageSnapshot | None) -> str:
    """What a subscription waits for and what it has used so far, in Markdown."""
    lines = [
        summary_of(subscription),
        f"**{standing(subscription)}**, {_waiting(subscription.next_due())}",
    ]
    if subscription.period is not None:
        start, end = written(subscription.period.start), written(subscription.period.end)
        lines.append(f"period {subscription.period_index}: {start} to {end}")
    if usage is not None:
        lines.append(f"usage until {written(usage.at)}:")
        lines.extend(f"- {meter}: {total}" for meter, total in sorted(usage.totals.items()))
    return "\n\n".join(lines)


def waiting_of(collection: Collection) -> str:
    """How the collection of an invoice stands, in Markdown."""
    owed = f"{collection.amount_due} {collection.amount_due.currency}"
    head = f"**{collection.status}**, {owed} due, {collection.attempts} attempts"
    if collection.next_attempt_at is not None:
        return f"{head}, next at {written(collection.next_attempt_at)}"
    if collection.awaiting == "nothing":
        return head
    gives_up_at = collection.gives_up_at
    until = "" if gives_up_at is None else f" until {written(gives_up_at)}"
    return f"{head}, waits for the {collection.awaiting}{until}"


def _waiting(due: Due | None) -> str:
    return (
        "nothing is due" if due is None else f"until {WAITS_FOR[due.reason]} at {written(due.at)}"
    )
