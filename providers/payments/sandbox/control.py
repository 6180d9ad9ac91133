"""/sandbox: the strings behind the stage. JSON in and out; a bad body is answered 422 with what is wrong."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from providers.payments.sandbox.account import Account
from providers.payments.sandbox.faults import Fault, Faults
from providers.payments.sandbox.hooks import Hooks, HookSettings
from providers.payments.sandbox.idempotency import Keys
from providers.payments.sandbox.intents import resolve
from providers.payments.sandbox.outcomes import read_outcome, script
from providers.payments.sandbox.refunds import open_dispute
from providers.payments.sandbox.store import Json


@dataclass(frozen=True, slots=True)
class Backstage:
    """What the strings pull at."""

    account: Account
    keys: Keys
    faults: Faults
    hooks: Hooks

    def intent(self, name: str) -> Json:
        return self.account.find("payment_intents", name, "payment_intent", "intent")


async def _backstage(request: Request) -> Backstage:
    backstage: Backstage = request.app.state.backstage
    return backstage


Strings = Annotated[Backstage, Depends(_backstage)]
router = APIRouter(prefix="/sandbox")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Script(_Body):
    outcomes: list[str]


class Ending(_Body):
    outcome: str = "succeeded"


class Release(_Body):
    reverse: bool = False


@router.put("/customers/{customer:path}/outcomes")
async def script_outcomes(customer: str, body: Script, strings: Strings) -> Json:
    """Answer the next attempts of a customer (id, or key of ours) in turn; the last repeats."""
    return script(strings.account.store, customer, body.outcomes)


@router.get("/faults")
async def show_faults(strings: Strings) -> Json:
    faults = strings.faults
    ordered = [{**entry.fault.model_dump(), "left": entry.left} for entry in faults.ordered]
    return {"faults": ordered, "held": faults.held}


@router.post("/faults")
async def order_fault(body: Fault, strings: Strings) -> Json:
    strings.faults.order(body)
    return await show_faults(strings)


@router.delete("/faults")
async def clear_faults(strings: Strings) -> Json:
    """Forget what was ordered, and let held calls go on."""
    strings.faults.clear()
    return await show_faults(strings)


@router.delete("/idempotency-keys")
async def prune_keys(strings: Strings) -> Json:
    return {"pruned": strings.keys.prune()}


@router.get("/webhooks")
async def show_hooks(strings: Strings) -> Json:
    hooks = strings.hooks
    waiting = {"waiting": hooks.waiting, "gathered": len(hooks.gathered)}
    return {**hooks.settings.model_dump(), **waiting, "deliveries": list(hooks.log)}


@router.put("/webhooks")
async def set_hooks(body: HookSettings, strings: Strings) -> Json:
    strings.hooks.settings = body
    return await show_hooks(strings)


@router.post("/webhooks/release")
async def release_hooks(body: Release, strings: Strings) -> Json:
    return {"released": strings.hooks.release(reverse=body.reverse)}


@router.post("/payment_intents/{intent}/settle")
async def settle(intent: str, body: Ending, strings: Strings) -> Json:
    """End an intent that is processing."""
    outcome = read_outcome(body.outcome)
    return resolve(strings.account, strings.intent(intent), "processing", outcome)


@router.post("/payment_intents/{intent}/authenticate")
async def authenticate(intent: str, body: Ending, strings: Strings) -> Json:
    """Let the customer of an intent that requires action act, or fail to."""
    outcome = read_outcome(body.outcome)
    return resolve(strings.account, strings.intent(intent), "requires_action", outcome)


@router.post("/payment_intents/{intent}/dispute")
async def dispute(intent: str, strings: Strings) -> Json:
    return open_dispute(strings.account, strings.intent(intent))
