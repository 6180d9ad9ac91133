"""/v1/subscriptions/…: what is asked of a living subscription, at once or for a time to come."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.asked import asked
from api.auth import Writes
from api.bodies import ExactRoute
from api.choosing import choose, features_named, version_for_sale
from api.connections import Opened
from api.named import find_coupon, key_of_coupon, transfer_to
from api.own_prices import kept, require_nothing_else_to_come
from api.paths import Named
from api.schemas import changing as schemas
from api.schemas.documents import later_as
from api.schemas.subscriptions import AnsweredSubscription, Asked
from db.plans import find_plan
from db.subscriptions import find_subscription
from domain import commands
from domain.add_ons import entitlements_in, read_add_on, require_known_features
from domain.decimals import plain
from domain.errors import Invalid
from domain.reading import Fields
from domain.timing import timed

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"], route_class=ExactRoute)

LATER = later_as(AnsweredSubscription)


def _post(path: str, summary: str) -> Callable[[Any], Any]:
    return router.post(
        f"/{{subscription:path}}/{path}",
        response_model=AnsweredSubscription,
        responses=LATER,
        summary=summary,
    )


@_post("cancel", "Cancel a subscription")
async def cancel(
    subscription: Named, body: schemas.Cancel, caller: Writes, opened: Opened
) -> Response:
    """At the period's end, at an instant, or immediately: then its usage is billed at once."""
    command = timed(commands.Cancel("immediately", body.unused), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("undo-cancel", "Undo a cancellation")
async def undo_cancel(subscription: Named, body: Asked, caller: Writes, opened: Opened) -> Response:
    """Take back every cancellation that has not taken effect."""
    return await asked(opened, caller, subscription, body, commands.UndoCancel())


@_post("change-plan", "Change the plan")
async def change_plan(
    subscription: Named, body: schemas.ChangePlan, caller: Writes, opened: Opened
) -> Response:
    """Immediately, with the rest of the period prorated on an invoice of its own, at the period's end, or at an instant."""
    async with opened.database.transaction(caller.environment) as connection:
        version = await version_for_sale(connection, body.plan, body.version)
        row = await find_subscription(connection, subscription)
        chosen = await choose(connection, version, body.overrides)
        change = commands.ChangePlan(chosen.plan.ref, "immediately", quantities=body.quantities)
        command = timed(change, body.effective, body.id)
        if not body.preview:
            chosen = await kept(connection, caller, row, chosen, command)
    command = timed(replace(change, plan=chosen.plan.ref), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command, chosen)


@_post("overrides", "Override prices")
async def override(
    subscription: Named, body: schemas.Override, caller: Writes, opened: Opened
) -> Response:
    """Give the subscription prices of its own, or take them away: a change of plan, to a version that is its own or back
    to the one for sale that it is based on.
    """
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_subscription(connection, subscription)
        await require_nothing_else_to_come(connection, row)
        version = await find_plan(connection, row.state.plan.key, row.based_on)
        chosen = await choose(connection, version, body.overrides)
        change = commands.ChangePlan(chosen.plan.ref, "immediately", if_on=row.state.plan)
        command = timed(change, body.effective, body.id)
        if not body.preview:
            chosen = await kept(connection, caller, row, chosen, command)
    command = timed(replace(change, plan=chosen.plan.ref), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command, chosen)


@_post("set-quantity", "Set a quantity")
async def set_quantity(
    subscription: Named, body: schemas.SetQuantity, caller: Writes, opened: Opened
) -> Response:
    """Of a recurring item; the next invoice prorates a change within a period."""
    command = timed(commands.SetQuantity(body.item, body.quantity), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("add-ons", "Add an add-on")
async def add_add_on(
    subscription: Named, body: schemas.AddOn, caller: Writes, opened: Opened
) -> Response:
    """With an `amount`, a charge on the next invoice; with a `price`, a recurring item beside those of the plan."""
    change = _add_on(body)
    if isinstance(change, commands.AddAddOn):
        async with opened.database.transaction(caller.environment) as connection:
            named = {each.feature for each in entitlements_in(change.document)}
            require_known_features(change, await features_named(connection, named))
    command = timed(change, body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("remove-add-on", "Remove an add-on")
async def remove_add_on(
    subscription: Named, body: schemas.RemoveAddOn, caller: Writes, opened: Opened
) -> Response:
    """Of the recurring ones; the next invoice takes the rest of a period back."""
    command = timed(commands.RemoveAddOn(body.key), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("add-coupon", "Add a coupon")
async def add_coupon(
    subscription: Named, body: schemas.Coupon, caller: Writes, opened: Opened
) -> Response:
    """It reduces the invoices that are issued from then on."""
    async with opened.database.transaction(caller.environment) as connection:
        coupon = await find_coupon(connection, body.coupon)
    command = timed(commands.AddCoupon(coupon), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("remove-coupon", "Remove a coupon")
async def remove_coupon(
    subscription: Named, body: schemas.Coupon, caller: Writes, opened: Opened
) -> Response:
    """It reduces no invoice that is issued from then on."""
    async with opened.database.transaction(caller.environment) as connection:
        coupon = await key_of_coupon(connection, body.coupon)
    command = timed(commands.RemoveCoupon(coupon), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("pause", "Pause a subscription")
async def pause(
    subscription: Named, body: schemas.Pause, caller: Writes, opened: Opened
) -> Response:
    """Usage in a pause is not billed, and nothing is charged in advance."""
    command = timed(commands.Pause(body.until), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("resume", "Resume a subscription")
async def resume(
    subscription: Named, body: schemas.Change, caller: Writes, opened: Opened
) -> Response:
    """Go on after a pause: the rest of a period that was not charged yet is charged at once."""
    command = timed(commands.Resume(), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("reset-anchor", "Reset the anchor")
async def reset_anchor(
    subscription: Named, body: schemas.Change, caller: Writes, opened: Opened
) -> Response:
    """A new period begins, and all later ones are counted from it; what is left of the old one is prorated."""
    command = timed(commands.ResetAnchor(), body.effective, body.id)
    return await asked(opened, caller, subscription, body, command)


@_post("set-trial-end", "Set the end of a trial")
async def set_trial_end(
    subscription: Named, body: schemas.SetTrialEnd, caller: Writes, opened: Opened
) -> Response:
    """Later, earlier, or now: the first period begins then."""
    command = commands.SetTrialEnd(body.trial_end)
    return await asked(opened, caller, subscription, body, command)


@_post("transfer", "Transfer to another customer")
async def transfer(
    subscription: Named, body: schemas.Transfer, caller: Writes, opened: Opened
) -> Response:
    """It ends for the one, as at an immediate cancel, and goes on for the other under another key, with the same plan,
    periods, quantities and what is planned. Coupons and credits stay behind.
    """
    async with opened.database.transaction(caller.environment) as connection:
        command = await transfer_to(connection, caller, subscription, body)
    return await asked(opened, caller, subscription, body, command)


@_post("withdraw", "Withdraw a planned change")
async def withdraw(
    subscription: Named, body: schemas.Withdraw, caller: Writes, opened: Opened
) -> Response:
    """Take a change off the schedule before it takes effect."""
    return await asked(opened, caller, subscription, body, commands.Withdraw(body.change))


def _add_on(body: schemas.AddOn) -> commands.Change:
    """Raises Invalid for what is neither the one kind nor the other."""
    if (body.amount is None) == (body.price is None):
        raise Invalid.at("amount", "either this or price must be given")
    if body.amount is not None:
        for name in ("charged", "entitlements"):
            if getattr(body, name) is not None:
                raise Invalid.at(name, "is for recurring add-ons, which have a price")
        named = body.description or body.key
        return commands.ChargeOnce(body.key, named, body.amount, body.quantity)
    if body.description is not None:
        raise Invalid.at("description", "is for one-off charges")
    told = {"key": body.key, "charged": body.charged, "quantity": plain(body.quantity)}
    fields = Fields({**told, "price": body.price, "entitlements": body.entitlements})
    command = read_add_on(fields)
    fields.done()
    return command
