"""Payments in a simulated world: the provider answers as the story says."""

from dataclasses import replace
from datetime import datetime

from domain import ledger
from domain.bonuses import Bonus
from domain.credits import TopUpOrder
from domain.dunning import Answer, Collection, answered, customer_acted
from domain.payments import Payment
from domain.scenarios.scenario import Attempted
from domain.simulation.books import Books
from domain.topups import top_up_declined, top_up_paid

NOTHING_TO_PAY_WITH = Attempted("failed", "no_payment_method")


class Collecting:
    def __init__(self, books: Books) -> None:
        self._books = books
        self._attempts_of: dict[str, int] = {}
        self._top_ups: dict[str, tuple[TopUpOrder, Bonus | None]] = {}

    def expect(self, invoice: str, order: TopUpOrder, bonus: Bonus | None) -> None:
        """The invoice is a top-up's, with what was promised for it."""
        self._top_ups[invoice] = (order, bonus)

    def is_promised(self, key: str) -> bool:
        """Whether a top-up's bonus has that key, granted or not."""
        promised = (bonus for _, bonus in self._top_ups.values() if bonus is not None)
        return any(bonus.grant == key for bonus in promised)

    def attempt(self, name: str, at: datetime) -> None:
        """Attempt the payment of an invoice, once."""
        books = self._books
        due = books.collections[name]
        outcome = self._next_outcome(due.customer)
        told = answered(due, Answer(outcome.status, at, outcome.failure_code))
        books.keep(told)
        books.payments.append(self._payment(told, outcome, at))
        if told.purpose == "top_up":
            self._end_top_up(told, at)
        elif told.status == "paid":
            self._paid(told, at)
        else:
            books.invoices[name] = replace(books.invoices[name], status=told.status)

    def act(self, customer: str, at: datetime, new_method: bool) -> None:
        """The customer wants to pay: have every unpaid invoice attempted at once, the oldest first."""
        for collection in list(self._books.collections.values()):
            if collection.customer == customer:
                self._books.keep(customer_acted(collection, at, new_method))

    def _next_outcome(self, customer: str) -> Attempted:
        if not self._books.customer(customer).has_payment_method:
            return NOTHING_TO_PAY_WITH
        outcomes = self._books.scenario.actors[customer].outcomes
        number = self._attempts_of.get(customer, 0)
        self._attempts_of[customer] = number + 1
        return outcomes[min(number, len(outcomes) - 1)]

    def _payment(self, told: Collection, outcome: Attempted, at: datetime) -> Payment:
        return Payment(
            at=at,
            kind="payment",
            amount=told.amount_due,
            status=outcome.status,
            invoice=self._books.invoices[told.invoice].number or "",
            attempt=told.attempts,
            failure_code=outcome.failure_code,
        )

    def _paid(self, told: Collection, at: datetime) -> None:
        books, name = self._books, told.invoice
        paid = replace(books.invoices[name], status="paid", amount_paid=told.amount_due)
        books.invoices[name] = paid
        self._receive(told, at)

    def _receive(self, told: Collection, at: datetime) -> None:
        payment = f"payment:{told.invoice}:{told.attempts}"
        self._books.post(ledger.paid(payment, told.customer, told.amount_due, at))

    def _end_top_up(self, told: Collection, at: datetime) -> None:
        """Paid, it is granted; declined, it is void; waiting for the customer, it waits."""
        books = self._books
        invoice, (order, bonus) = books.invoices[told.invoice], self._top_ups[told.invoice]
        match told.status:
            case "paid":
                self._receive(told, at)
                ended = top_up_paid(order, invoice, order.key, at, bonus)
            case "void":
                ended = top_up_declined(invoice, at)
            case _:
                return
        books.invoices[told.invoice] = ended.invoice
        for grant in ended.grants:
            books.add_grant(grant)
        books.post(ended.transactions)
