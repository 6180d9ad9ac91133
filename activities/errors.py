"""How our errors reach Temporal: translated once, here. There are three branches because there are three reactions."""

from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.steps import REFUSED
from domain.codec import to_plain
from domain.errors import Corrupt, Invalid, Rejected, Unavailable

# A fault in the code or in a row: tried again in case it passes, then an operator is called.
TRIES_OF_THE_UNEXPECTED = 5


class TranslateErrors(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Translating(next)


class _Translating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except ApplicationError:
            raise
        except Exception as error:
            raise translated(error, activity.info().attempt) from error


def translated(error: Exception, attempt: int) -> ApplicationError:
    """What Temporal makes of an error on the `attempt`th try of a step: a refusal is an answer, an outage is tried
    again for ever, and wrong books call a human at once.
    """
    if isinstance(error, Rejected):
        faults = to_plain(error.faults) if isinstance(error, Invalid) else []
        return ApplicationError(
            str(error),
            REFUSED,
            faults,
            type=error.code,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )
    if isinstance(error, Unavailable):
        return ApplicationError(str(error), type=error.code)
    if isinstance(error, Corrupt):
        return ApplicationError(str(error), type=error.code, non_retryable=True)
    given_up = attempt >= TRIES_OF_THE_UNEXPECTED
    return ApplicationError(str(error), type=type(error).__name__, non_retryable=given_up)
