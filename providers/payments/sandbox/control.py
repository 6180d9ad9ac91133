"""/sandbox: the strings behind the stage. JSON in and out; a bad body is answered 422 with what is wrong."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from providers.payments.sandbox.account import Account
from providers.payments.sandbox.faults import Fault, Faults
from providers.payments.sandbox.hooks import Hooks, HookSettings
from providers.payments.sandbox.idempotency import Keys
from providers.payments.sandbox.intents import resolve
from providers.payments.sandbox.outcomes import read_outcome, script
from providers.payments.sandbox.refunds import open_dispute
from providers.payments.sandbox.store import Json


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Script(_Body):
    outcomes: Annotated[list[str], Field(min_length=1)]


class Ending(_Body):
    outcome: str = "succeeded"


class Release(_Body):
    reverse: bool = False


def control_routes(account: Account, keys: Keys, faults: Faults, hooks: Hooks) -> APIRouter:
    router = APIRouter(prefix="/sandbox")

    @router.put("/customers/{customer}/outcomes")
    async def script_outcomes(customer: str, body: Script) -> Json:
        """Answer the next attempts of a customer (id, or key of ours) in turn; the last repeats."""
        return script(account.store, customer, body.outcomes)

    @router.get("/faults")
    async def show_faults() -> Json:
        ordered = [{**entry.fault.model_dump(), "left": entry.left} for entry in faults.ordered]
        return {"faults": ordered, "held": faults.held}

    @router.post("/faults")
    async def order_fault(body: Fault) -> Json:
        faults.order(body)
        return await show_faults()

    @router.delete("/faults")
    async def clear_faults() -> Json:
        """Forget what was ordered and let held calls go on."""
        faults.clear()
        return await show_faults()

    @router.delete("/idempotency-keys")
    async def prune_keys() -> Json:
        return {"pruned": keys.prune()}

    @router.get("/webhooks")
    async def show_hooks() -> Json:
        waiting = {"waiting": hooks.waiting, "held": len(hooks.gathered)}
        return {**hooks.settings.model_dump(), **waiting, "deliveries": list(hooks.log)}

    @router.put("/webhooks")
    async def set_hooks(body: HookSettings) -> Json:
        hooks.settings = body
        return await show_hooks()

    @router.post("/webhooks/release")
    async def release_hooks(body: Release) -> Json:
        return {"released": hooks.release(reverse=body.reverse)}

    @router.post("/payment_intents/{intent}/settle")
    async def settle(intent: str, body: Ending) -> Json:
        """End an intent that is processing."""
        return resolve(account, _intent(account, intent), "processing", read_outcome(body.outcome))

    @router.post("/payment_intents/{intent}/authenticate")
    async def authenticate(intent: str, body: Ending) -> Json:
        """Let the customer of an intent that requires action act, or fail to."""
        outcome = read_outcome(body.outcome)
        return resolve(account, _intent(account, intent), "requires_action", outcome)

    @router.post("/payment_intents/{intent}/dispute")
    async def dispute(intent: str) -> Json:
        return open_dispute(account, _intent(account, intent))

    return router


def _intent(account: Account, name: str) -> Json:
    return account.find("payment_intents", name, "payment_intent", "intent")
