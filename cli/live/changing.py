"""What a story changes of a subscription, as REST requests."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from domain import commands
from domain.decimals import plain
from domain.reading import written
from domain.scenarios import actions
from domain.scenarios.changing import Change, Override, Redeem, ToPlan, TransferTo, What
from domain.timing import Effective

Raw = Mapping[str, Any]
Asked = tuple[str, dict[str, object]]

_CANNOT_WAIT = commands.UndoCancel | commands.SetTrialEnd | commands.Withdraw | TransferTo


def request_to_subscribe(asked: actions.Subscribe) -> Asked:
    whom = {"key": asked.key, "customer": asked.customer, "coupons": list(asked.coupons)}
    times = {"starts_at": asked.starts_at, "ends_at": asked.ends_at, "trial_end": asked.trial_end}
    phases = [_phase(phase) for phase in asked.phases]
    (first, *more) = phases
    what = {"phases": phases} if more or "periods" in first else first
    without_trial = {"trial_end": None} if asked.without_trial else {}
    pools = {"pools_usage": True} if asked.pools_usage else {}
    return "subscriptions", {**whom, **what, **_times(times), **without_trial, **pools}


def request_to_change(change: Change) -> Asked:
    path, body = _asked(change.what)
    if not isinstance(change.what, _CANNOT_WAIT):
        body = {**body, "effective": _effective(change.effective)}
    if change.id is not None:
        body = {**body, "id": change.id}
    return f"subscriptions/{change.subscription}/{path}", body


def _asked(what: What) -> Asked:
    match what:
        case ToPlan(plan, overrides, quantities):
            return "change-plan", {"plan": plan, **_given(overrides), **_quantities(quantities)}
        case Override(overrides):
            return "overrides", {"overrides": overrides}
        case commands.SetQuantity(item, quantity):
            return "set-quantity", {"item": item, "quantity": plain(quantity)}
        case commands.ChargeOnce(key, description, amount, quantity):
            charge = {"amount": plain(amount), "quantity": plain(quantity)}
            return "add-ons", {"key": key, "description": description, **charge}
        case commands.AddAddOn(_, document):
            return "add-ons", {name: each for name, each in document.items() if name != "kind"}
        case commands.RemoveAddOn(key):
            return "remove-add-on", {"key": key}
        case Redeem(coupon):
            return "add-coupon", {"coupon": coupon}
        case commands.RemoveCoupon(coupon):
            return "remove-coupon", {"coupon": coupon}
        case commands.Pause(until):
            return "pause", _times({"until": until})
        case commands.Resume():
            return "resume", {}
        case commands.Cancel(_, unused):
            return "cancel", {"unused": unused}
        case commands.ResetAnchor():
            return "reset-anchor", {}
        case _:
            return _asked_at_once(what)


def _asked_at_once(what: What) -> Asked:
    match what:
        case commands.UndoCancel():
            return "undo-cancel", {}
        case commands.SetTrialEnd(at):
            return "set-trial-end", {"trial_end": at and written(at)}
        case TransferTo(customer, key, unused):
            return "transfer", {"customer": customer, "key": key, "unused": unused}
        case commands.Withdraw(change):
            return "withdraw", {"change": change}
        case _:
            raise ValueError(f"{type(what).__name__} is nothing that a story asks for")


def _phase(phase: actions.Phase) -> dict[str, object]:
    length = {} if phase.periods is None else {"periods": phase.periods}
    own = {**_given(phase.overrides), **_quantities(phase.quantities)}
    return {"plan": phase.plan, **own, **length}


def _effective(effective: Effective) -> str:
    return written(effective) if isinstance(effective, datetime) else effective


def _times(times: Mapping[str, datetime | None]) -> dict[str, object]:
    return {name: written(at) for name, at in times.items() if at is not None}


def _quantities(quantities: Mapping[str, Fraction]) -> dict[str, object]:
    given = {item: plain(quantity) for item, quantity in quantities.items()}
    return {"quantities": given} if given else {}


def _given(overrides: Raw) -> dict[str, object]:
    return {"overrides": overrides} if overrides else {}
