"""What a running Weir has issued, gathered into the one document that the pure simulation prints."""

from collections.abc import Sequence
from typing import Any

from cli.client import WeirClient
from domain.documents import Document, notifications
from domain.reading import instant

# What the API shows beyond the documents of the contract.
_IDS = ("id",)
_OF_PAYMENTS = ("id", "customer", "provider_id")
_SUBSCRIPTION = ("key", "customer", "plan", "status", "current_period")


async def gather(weir: WeirClient, customers: Sequence[str], answers: list[Document]) -> Document:
    """Every document of the environment, each list in the order of its times."""
    invoices = _without(_IDS, _by("number", await weir.every("invoices")))
    notes = _without(_IDS, _by("number", await weir.every("credit-notes")))
    payments = _without(_OF_PAYMENTS, _in_order(_by("id", await weir.every("payments"))))
    postings = [entry for key in customers for entry in await weir.every(f"customers/{key}/ledger")]
    subscriptions = _by("id", await weir.every("subscriptions"))
    return {
        "invoices": invoices,
        "credit_notes": notes,
        "payments": payments,
        "ledger": _without(_IDS, _by_time("at", postings)),
        "answers": answers,
        "subscriptions": [{name: each[name] for name in _SUBSCRIPTION} for each in subscriptions],
        "notifications": notifications(invoices, notes, payments),
    }


def _by(name: str, documents: list[Any]) -> list[Any]:
    return sorted(documents, key=lambda document: str(document[name]))


def _in_order(payments: list[Any]) -> list[Any]:
    """As `domain.documents.in_order`."""
    return sorted(payments, key=lambda each: (instant(each["at"]), each["kind"] == "refund"))


def _by_time(name: str, documents: list[Any]) -> list[Any]:
    return sorted(documents, key=lambda document: instant(document[name]))


def _without(names: tuple[str, ...], documents: list[Any]) -> list[Document]:
    return [
        {name: member for name, member in each.items() if name not in names} for each in documents
    ]
