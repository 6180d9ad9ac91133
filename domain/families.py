"""Customers that belong to another: who may, and whose usage and invoices are whose."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.customers import Billing
from domain.errors import Conflict, Invalid
from domain.metering.consumption import BEGINNING

EVER = datetime.max.replace(tzinfo=UTC)
NO_PARENT = "there is no parent to pay"


@dataclass(frozen=True, slots=True)
class Relative:
    """A customer as far as its family asks."""

    id: str
    key: str
    parent: str | None = None
    has_children: bool = False
    test_clock: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A customer whose usage is counted with that of others: of its events, those timed in `[since, until)`."""

    customer: str
    since: datetime = BEGINNING
    until: datetime = EVER


def read_billing(value: object) -> Billing:
    match value:
        case "self" | "parent":
            return value
        case _:
            raise Invalid.at("", "must be one of self, parent")


def check_parent(child: Relative, parent: Relative) -> None:
    """Raise Conflict, with the reason, where `child` cannot belong to `parent`: families have two levels."""
    if child.id == parent.id:
        raise Conflict(f"{child.key} cannot be its own parent")
    if parent.parent is not None:
        raise Conflict(f"{parent.key} has a parent itself")
    if child.has_children:
        raise Conflict(f"{child.key} has children itself")
    if child.test_clock != parent.test_clock:
        raise Conflict(f"{child.key} and {parent.key} do not live on the same test clock")


def check_billing(parent: str | None, billing: Billing) -> None:
    """Raise Invalid where nobody is there to pay."""
    if billing == "parent" and parent is None:
        raise Invalid.at("billing", NO_PARENT)


def check_payers(
    customer: str, payer: str | None, living: Iterable[tuple[str, str | None]]
) -> None:
    """Raise Conflict where one of the customer's `living` subscriptions, each with who pays for it, is another's to pay."""
    for key, pays in living:
        if pays != payer:
            raise Conflict(
                f"it would change who pays for {key}, a subscription of {customer} that is not over"
            )
