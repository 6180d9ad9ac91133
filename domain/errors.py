"""Every error we raise on purpose.

BillingError
├── Rejected            the caller asked for something the rules forbid   -> 4xx, never retried
│   ├── Invalid         ...with a body or line that is wrong, fault by fault -> 422
│   ├── NotFound        ...of a thing that does not exist                 -> 404
│   ├── Conflict        ...that clashes with the present state            -> 409
│   ├── Forbidden       ...without the right to it                        -> 403
│   ├── Declined        ...and the payment provider said no               -> 402
│   └── Insufficient    ...for more than there is: it says how much that is
│       ├── InsufficientCredit  ...of credit                              -> 402
│       └── LimitReached        ...of a limit                             -> 409
├── Unavailable         something we depend on did not answer             -> 503, retried
└── Corrupt             our own books are wrong: stop and call someone    -> 500, never retried
    └── UnbalancedTransaction
"""

from collections.abc import Iterable
from dataclasses import dataclass


class BillingError(Exception):
    code = "billing_error"


class Rejected(BillingError):
    code = "rejected"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: `path` is dotted (`tiers.0.up_to`), empty for the whole."""

    path: str
    message: str


class Invalid(Rejected):
    """A document with every fault that was found in it."""

    code = "invalid"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "; ".join(f"{f.path}: {f.message}" if f.path else f.message for f in self.faults)
        )

    @classmethod
    def at(cls, path: str, message: str) -> "Invalid":
        return cls((Fault(path, message),))

    def beneath(self, segment: str | int) -> tuple[Fault, ...]:
        """The same faults, seen from the document that holds this one under `segment`."""
        return tuple(
            Fault(f"{segment}.{f.path}" if f.path else str(segment), f.message) for f in self.faults
        )


class NotFound(Rejected):
    code = "not_found"


class Conflict(Rejected):
    code = "conflict"


class Forbidden(Rejected):
    code = "forbidden"


class Declined(Rejected):
    code = "declined"


class Insufficient(Rejected):
    """`available` is what there is, as it is told."""

    def __init__(self, message: str, available: str) -> None:
        self.available = available
        super().__init__(message)


class InsufficientCredit(Insufficient):
    code = "insufficient_credit"


class LimitReached(Insufficient):
    code = "limit_reached"


class Unavailable(BillingError):
    code = "unavailable"


class Corrupt(BillingError):
    code = "corrupt"


class UnbalancedTransaction(Corrupt):
    code = "unbalanced_transaction"

    def __init__(self, transaction_id: str, reason: str) -> None:
        super().__init__(f"{transaction_id}: {reason}")
