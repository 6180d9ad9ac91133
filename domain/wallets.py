"""Wallets: what a customer has in a currency right now, and what of it nothing else has a claim on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from domain.credits import GrantBalance
from domain.decimals import plain
from domain.documents import Document
from domain.money import Money, total

_JUST_AFTER = timedelta(microseconds=1)  # a grant can still pay at the very instant it expires


@dataclass(frozen=True, slots=True)
class Wallet:
    """`posted`: what live grants are worth by postings. `running`: what usage without an invoice would come to on one.
    `reserved`: what holds have a claim on, exact, since calls cost less than a cent. `overdraft`: how far below zero the
    customer's plans let it go.
    """

    currency: str
    posted: Money
    running: Money
    reserved: Fraction
    overdraft: Money

    @property
    def available(self) -> Fraction:
        """Posted less running less reserved; below zero where usage has outrun the credit."""
        return self.posted.exact - self.running.exact - self.reserved

    def covers(self, amount: Fraction) -> bool:
        """Whether so much more may be reserved."""
        return amount <= self.available + self.overdraft.exact


def posted_at(balances: Iterable[GrantBalance], currency: str, at: datetime) -> Money:
    """What grants of one currency are worth at an instant."""
    return total([balance.at(at) for balance in balances], currency)


def posted_until(balances: Iterable[GrantBalance], at: datetime) -> datetime | None:
    """The first instant after `at` from which time alone makes the grants worth something else; None where none does."""
    changes = (
        change
        for balance in balances
        if balance.remaining.minor
        for change in _changes(balance)
        if change > at
    )
    return min(changes, default=None)


def wallet_document(wallet: Wallet) -> Document:
    return {
        "currency": wallet.currency,
        "posted": str(wallet.posted),
        "running": str(wallet.running),
        "reserved": plain(wallet.reserved),
        "available": plain(wallet.available),
        "overdraft": str(wallet.overdraft),
    }


def _changes(balance: GrantBalance) -> Iterable[datetime]:
    yield balance.grant.effective_at
    if balance.grant.expires_at is not None:
        yield balance.grant.expires_at + _JUST_AFTER
