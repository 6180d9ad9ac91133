"""A scenario told to a running Weir: its catalogue, its customers on a test clock, then each entry at its time."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, assert_never
from urllib.parse import quote

from cli.client import Refused, WeirClient
from cli.live.changing import request_to_change, request_to_subscribe
from cli.live.clocks import lead
from cli.live.documents import gather
from domain.credits import GrantOrder, TopUpOrder
from domain.decimals import plain
from domain.documents import Document
from domain.reading import written
from domain.scenarios import actions
from domain.scenarios.actions import Entry
from domain.scenarios.changing import Change
from domain.scenarios.scenario import Scenario, read_scenario
from providers.payments.sandbox.remote import SandboxRemote

CARD = "pm_card_visa"
CONFLICT = "conflict: "
CATALOGUE = (("meters", "meters"), ("features", "features"), ("tax_rates", "tax-rates"), ("plans", "plans"), ("coupons", "coupons"), ("units", "units"))  # fmt: skip
BALANCE = ("at", "customer", "currency", "promotional", "prepaid", "credit_notes", "grants")

Raw = Mapping[str, Any]


async def tell(
    raw: Raw,
    weir: WeirClient,
    sandbox: SandboxRemote,
    before: Callable[[datetime], Awaitable[None]] | None = None,
) -> Document:
    """Run a scenario (as it was read from its file) to its end and gather what was issued. The environment must be
    empty. `before` each instant something else may happen, of which the scenario knows nothing. Raises `Invalid` for a
    scenario with faults, before anything is done.
    """
    scenario = read_scenario(raw)
    story = _Story(scenario, weir, sandbox)
    await story.set_up(raw)
    for at, entries in groupby(scenario.timeline, key=lambda entry: entry.at):
        together = list(entries)
        if before is not None:
            await story.settle()
            await before(at)
        if not all(story.is_quiet(entry) for entry in together):
            await story.arrive(at)
        for entry in together:
            await story.act(entry)
    await story.end()
    return await gather(weir, [actor.key for actor in scenario.actors.values()], story.answers)


class _Story:
    def __init__(self, scenario: Scenario, weir: WeirClient, sandbox: SandboxRemote) -> None:
        self._scenario = scenario
        self._weir = weir
        self._sandbox = sandbox
        self._clock = ""
        self._acted_at: datetime | None = None
        self.answers: list[Document] = []

    async def set_up(self, raw: Raw) -> None:
        start = self._scenario.timeline[0].at if self._scenario.timeline else self._scenario.until
        clock = {"name": self._scenario.name[:200] or "scenario", "now": written(start)}
        self._clock = (await self._weir.post("test-clocks", clock))["id"]
        for name, path in CATALOGUE:
            for document in raw.get(name) or ():
                await self._weir.post(path, {**_usual(raw, name, document), **document})
        customers = raw.get("customers") or ()
        for customer in sorted(customers, key=lambda each: each.get("parent") is not None):
            await self._open_account(customer)  # parents are there before their children

    async def _open_account(self, raw: Raw) -> None:
        """A customer with a card, unless there is none yet, that answers as the scenario says."""
        pays = raw.get("payment") or {}
        outcomes = pays.get("outcomes") or ["succeeded"]
        body = {name: member for name, member in raw.items() if name != "payment"}
        customer = await self._weir.post("customers", {**body, "test_clock": self._clock})
        await self._sandbox.script(customer["id"], outcomes)
        if pays.get("on_file") is not False:
            path = f"customers/{raw['key']}/payment-methods"
            await self._weir.post(path, {"payment_method": CARD})

    async def arrive(self, at: datetime) -> None:
        """The clock shows `at`, and nothing that is due at it has happened but what is to be paid at once."""
        await lead(self._weir, self._clock, at, "before")
        self._acted_at = None

    async def settle(self) -> None:
        """What comes at once of the last entry has happened: on its way to a later instant the clock sees to it, too."""
        if self._acted_at is not None:
            await self.arrive(self._acted_at)

    async def end(self) -> None:
        await lead(self._weir, self._clock, self._scenario.until)

    def is_quiet(self, entry: Entry) -> bool:
        """Whether nothing comes of an entry by itself, nor of when it arrives: usage that is sent when it happens,
        and is charged when its period ends. The clock need not be moved for it, which saves a story most of its time.
        """
        in_arrears = not any(
            plan.awaits_usage(item) for plan in self._scenario.plans.values() for item in plan.items
        )
        return isinstance(entry.action, actions.Usage) and entry.action.time is None and in_arrears

    async def act(self, entry: Entry) -> None:
        """Do what an entry asks, after what came of the one before; a refusal is an answer."""
        await self.settle()
        try:
            await self._ask(entry)
        except Refused as refusal:
            told = {name: refusal.problem.get(name) for name in ("status", "title", "detail")}
            self.answers.append({"at": written(entry.at), "action": entry.name, "error": told})
        if not self.is_quiet(entry):
            self._acted_at = entry.at

    async def _ask(self, entry: Entry) -> None:
        action = entry.action
        match action:
            case actions.Usage():
                await self._use(entry, action)
            case actions.Check():
                await self._check(entry.at, action)
            case actions.Balance():
                await self._balance(entry.at, action)
            case _:
                path, body = request_of(action, self._scenario)
                await self._weir.post(path, body)

    async def _use(self, entry: Entry, usage: actions.Usage) -> None:
        event = {
            "id": usage.id or f"entry-{entry.number}-{entry.repetition}",
            "event_name": usage.event_name,
            "customer": usage.customer,
            "time": written(usage.time or entry.at),
            "properties": usage.properties,
            **({"subscription": usage.subscription} if usage.subscription else {}),
        }
        told = await self._weir.post("events", event)
        for rejected in told["rejected"]:
            raise Refused(_rejection(rejected))

    async def _check(self, at: datetime, check: actions.Check) -> None:
        body = {
            "customer": check.customer,
            "feature": check.feature,
            "quantity": plain(check.quantity),
        }
        told = await self._weir.post("entitlements/check", body)
        shown = {name: told[name] for name in ("allowed", "used", "limit")}
        self.answers.append(
            {"at": written(at), "customer": check.customer, "feature": check.feature, **shown}
        )

    async def _balance(self, at: datetime, balance: actions.Balance) -> None:
        asked = {"at": written(at), "currency": balance.currency or self._scenario.currency}
        told = await self._weir.get(f"customers/{balance.customer}/balance", **asked)
        self.answers.append({name: told[name] for name in BALANCE})


def request_of(action: actions.Action, scenario: Scenario) -> tuple[str, dict[str, object]]:
    """The REST request, path and body, that an action of a timeline is."""
    match action:
        case actions.Subscribe():
            return request_to_subscribe(action)
        case actions.Grant(order):
            return "credit-grants", _grant(order, scenario)
        case actions.TopUp(order):
            return f"customers/{order.customer}/top-ups", _top_up(order, scenario)
        case actions.Pay(customer, new_method=True):
            return f"customers/{customer}/payment-methods", {"payment_method": CARD}
        case actions.Pay(customer):
            return f"customers/{customer}/pay", {}
        case actions.VoidUsage(id, reason):
            return f"events/{quote(id, safe='')}/void", {"reason": reason}
        case actions.Usage() | actions.Check() | actions.Balance():
            raise ValueError(f"{type(action).__name__} is not asked for like this")
        case Change():
            return request_to_change(action)
        case _:
            assert_never(action)


def _rejection(rejected: Raw) -> dict[str, object]:
    """The problem that an event of a batch was rejected with."""
    message, path = str(rejected["message"]), str(rejected["path"])
    if message.startswith(CONFLICT):
        return {"status": 409, "title": "Conflict", "detail": message.removeprefix(CONFLICT)}
    if path in ("customer", "subscription"):
        return {"status": 404, "title": "Not found", "detail": message}
    return {"status": 422, "title": "Not valid", "detail": f"{path}: {message}"}


def _top_up(order: TopUpOrder, scenario: Scenario) -> dict[str, object]:
    return {
        "key": order.key,
        **_amount(order, scenario),
        "priority": order.priority,
        **({"expires_at": written(order.expires_at)} if order.expires_at else {}),
    }


def _grant(order: GrantOrder, scenario: Scenario) -> dict[str, object]:
    times = {"effective_at": order.effective_at, "expires_at": order.expires_at}
    return {
        "key": order.key,
        "customer": order.customer,
        "kind": order.kind,
        **_amount(order, scenario),
        "priority": order.priority,
        **{name: written(at) for name, at in times.items() if at is not None},
        **({"scope": {"items": list(order.items)}} if order.items else {}),
    }


def _amount(order: GrantOrder | TopUpOrder, scenario: Scenario) -> dict[str, object]:
    """What is asked for, in its unit, and in which currency: the catalogue knows that of a unit it has."""
    amount: dict[str, object] = {"amount": plain(order.amount)}
    if order.unit is not None:
        amount["unit"] = order.unit
    if order.unit_rate is not None:
        amount["unit_rate"] = plain(order.unit_rate)
    if order.currency is None and order.unit in scenario.units:
        return amount
    return {**amount, "currency": order.currency or scenario.currency}


def _usual(raw: Raw, name: str, document: Raw) -> dict[str, object]:
    """What the file says once for all of its plans and coupons."""
    match name:
        case "plans":
            settings = ("currency", "advance_invoicing", "invoice_grace")
            return {setting: raw[setting] for setting in settings if setting in raw}
        case "units":
            return {"currency": raw["currency"]}
        case "coupons" if "percent_off" not in document:
            return {"currency": raw["currency"]}
        case _:
            return {}
