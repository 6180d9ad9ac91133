"""The sandbox's refusals, in Stripe's words: a status and an `error` object."""

from typing import Any

from providers.payments.sandbox.store import Json

# What the issuer says is the error's own code here; every other decline is a `card_declined`.
_OWN_CODES = {
    "authentication_required",
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "processing_error",
}


class ApiError(Exception):
    """An answer that is an error. `executed`: the endpoint had begun, so that its key keeps this answer."""

    def __init__(self, status: int, error: Json, *, executed: bool = False) -> None:
        super().__init__(error["message"])
        self.status = status
        self.error = error
        self.executed = executed

    @property
    def body(self) -> Json:
        return {"error": self.error}


def invalid_request(
    message: str, *, param: str | None = None, code: str | None = None, status: int = 400
) -> ApiError:
    return ApiError(status, _error("invalid_request_error", message, param=param, code=code))


def no_such(noun: str, name: str, param: str) -> ApiError:
    return invalid_request(
        f"No such {noun}: '{name}'", param=param, code="resource_missing", status=404
    )


def unexpected_state(intent: Json, wish: str) -> ApiError:
    message = f"You cannot {wish} this PaymentIntent because it has a status of {intent['status']}."
    error = _error(
        "invalid_request_error",
        message,
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )
    return ApiError(400, error, executed=True)


def payment_error(code: str, method: Json | None) -> Json:
    """A decline with the issuer's `code`, as `last_payment_error` and as the `error` of a refusal."""
    own = code if code in _OWN_CODES else "card_declined"
    message = f"Your card was declined: {code.replace('_', ' ')}."
    return _error("card_error", message, code=own, decline_code=code, payment_method=method)


def card_declined(error: Json, intent: Json | None = None) -> ApiError:
    with_intent = {} if intent is None else {"payment_intent": intent}
    return ApiError(402, {**error, **with_intent}, executed=True)


def wrong_key(message: str) -> ApiError:
    return ApiError(401, _error("invalid_request_error", message))


def key_in_use() -> ApiError:
    message = "There is currently another in-progress request using this Idempotent Key."
    return ApiError(409, _error("invalid_request_error", message, code="idempotency_key_in_use"))


def key_of_another_request() -> ApiError:
    message = (
        "Keys for idempotent requests can only be used with the same endpoint and parameters"
        " they were first used with."
    )
    return ApiError(400, _error("idempotency_error", message))


def outage(status: int) -> ApiError:
    """A refusal that has nothing to do with the request."""
    match status:
        case 401:
            return wrong_key("Invalid API Key provided.")
        case 403:
            message = "The provided key does not have the required permissions for this endpoint."
            return ApiError(403, _error("invalid_request_error", message))
        case 429:
            return ApiError(
                429, _error("invalid_request_error", "Too many requests.", code="rate_limit")
            )
        case _:
            return ApiError(status, _error("api_error", "An unknown error occurred."))


def _error(kind: str, message: str, **facts: Any) -> Json:
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return {"type": kind, "message": message, **known}
