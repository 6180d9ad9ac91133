"""From a scenario to its document: what would be issued, collected, granted and answered."""

from domain.documents import (
    Document,
    credit_note_document,
    in_order,
    invoice_document,
    ledger_document,
    notifications,
    payment_document,
    subscription_document,
)
from domain.ledger import Transaction
from domain.scenarios.scenario import Scenario
from domain.simulation.acting import act
from domain.simulation.books import Books
from domain.simulation.dues import Moment
from domain.simulation.world import World
from domain.subscription import Phase

CREDIT_MOVEMENTS = ("grant", "burn", "transfer", "expire", "refund", "void")


def simulate(scenario: Scenario, most_steps: int | None = None) -> Document:
    """Live through a scenario and show what it brought.

    Each entry of the timeline acts when its instant has come, before anything that is due at it. Raises Invalid for
    usage that a price cannot charge, and for a story of more than `most_steps`: entries, and things that were due.
    """
    world = World(scenario, most_steps)
    for entry in scenario.timeline:
        world.count_step()
        world.live_until(Moment(entry.at, Phase.ARRIVED))
        act(world, entry)
    world.live_until(Moment(scenario.until, Phase.DONE))
    return _document(world.books)


def _document(books: Books) -> Document:
    invoices = [
        invoice_document(invoice, invoice.customer, invoice.subscription)
        for invoice in books.invoices.values()
    ]
    notes = [
        credit_note_document(note, note.customer, note.subscription)
        for note in books.credit_notes.values()
    ]
    payments = [payment_document(payment) for payment in in_order(books.payments)]
    return {
        "invoices": invoices,
        "credit_notes": notes,
        "payments": payments,
        "ledger": [line for each in books.transactions for line in _movements(books, each)],
        "answers": books.answers,
        "subscriptions": [
            subscription_document(each, each.customer) for each in books.subscriptions.values()
        ],
        "notifications": notifications(invoices, notes, payments),
    }


def _movements(books: Books, transaction: Transaction) -> list[Document]:
    """What a transaction did to grants."""
    if transaction.movement not in CREDIT_MOVEMENTS:
        return []
    return [
        ledger_document(
            transaction.at, transaction.movement, books.grants[grant].grant.key, -posting.amount
        )
        for posting in transaction.postings
        for kind, _, grant in [posting.account.partition(":")]
        if kind == "credits"
    ]
