"""The demo's month, told through the REST API: sell, sign up, use, end the period, collect."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.client import WeirClient
from cli.demo.show import show_invoice, show_ledger, show_payments, show_usage
from cli.demo.story import (
    BUYERS,
    METERS,
    PERIOD_END,
    PLANS,
    PROMOTION_ENDS,
    START,
    UNTIL,
    Buyer,
    batches,
    usage_of,
)
from cli.explanations import show
from cli.live.clocks import lead
from domain.reading import written
from providers.payments.sandbox.remote import SandboxRemote

STEP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """What was made, for the URLs at the end: the ids of the subscriptions by customer key."""

    clock: str
    subscriptions: dict[str, str]


async def tell(weir: WeirClient, sandbox: SandboxRemote, console: Console) -> Told:
    """Run the month to its end and show what it brought."""
    clock = (await weir.post("test-clocks", {"name": "January", "now": written(START)}))["id"]
    await _sell(weir)
    subscriptions = {buyer.key: await _sign_up(weir, sandbox, clock, buyer) for buyer in BUYERS}
    console.print(
        f"{len(METERS)} meters, {len(PLANS)} plans, {len(BUYERS)} customers on a test clock at {START:%d %B %Y}"
    )
    await _use(weir, clock, console)
    console.print("[bold]The period ends[/bold], and the retry of a declined card falls due")
    await lead(weir, clock, UNTIL)
    await _show(weir, console)
    return Told(clock, subscriptions)


async def _sell(weir: WeirClient) -> None:
    for meter in METERS:
        await weir.post("meters", meter)
    for plan in PLANS:
        await weir.post("plans", plan)


async def _sign_up(weir: WeirClient, sandbox: SandboxRemote, clock: str, buyer: Buyer) -> str:
    """A customer with a card that answers as the story wants, their credits, and their subscription's id."""
    body = {"key": buyer.key, "name": buyer.name, "test_clock": clock}
    customer = await weir.post("customers", body)
    await sandbox.script(customer["id"], buyer.card)
    await weir.post(f"customers/{buyer.key}/payment-methods", {"payment_method": "pm_card_visa"})
    if buyer.promotion is not None:
        await weir.post("credit-grants", _promotion(buyer))
    subscription = await weir.post(
        "subscriptions",
        {"key": f"{buyer.key}-{buyer.plan}", "customer": buyer.key, "plan": buyer.plan},
    )
    if buyer.top_up is not None:
        top_up = {"key": f"{buyer.key}-top-up", "amount": buyer.top_up, "currency": "USD"}
        await weir.post(f"customers/{buyer.key}/top-ups", top_up)
    return str(subscription["id"])


def _promotion(buyer: Buyer) -> dict[str, object]:
    return {
        "key": f"{buyer.key}-welcome",
        "customer": buyer.key,
        "amount": buyer.promotion,
        "currency": "USD",
        "kind": "promotional",
        "expires_at": written(PROMOTION_ENDS),
    }


async def _use(weir: WeirClient, clock: str, console: Console) -> None:
    """Send the month's events day by day, as they happen, with the clock going along."""
    events = sorted(
        (event for buyer in BUYERS for event in usage_of(buyer)), key=lambda e: str(e["time"])
    )
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        sent = progress.add_task("events", total=len(events))
        for batch in batches(events):
            await weir.post("events", batch)
            progress.advance(sent, len(batch))
            await lead(weir, clock, datetime.fromisoformat(str(batch[-1]["time"])))


async def _show(weir: WeirClient, console: Console) -> None:
    show_usage(console, [row for buyer in BUYERS for row in await _usage_rows(weir, buyer)])
    invoices = await weir.every("invoices")
    for invoice in invoices:
        show_invoice(console, invoice)
    show_ledger(
        console, {b.key: await weir.every(f"customers/{b.key}/ledger") for b in BUYERS if b.top_up}
    )
    show_payments(console, await weir.every("payments"))
    await _explain(weir, console, invoices)


async def _explain(weir: WeirClient, console: Console, invoices: list[Any]) -> None:
    """One line of usage in words, and every invoice computed again from its events."""
    invoice, line = next(
        (invoice["number"], place)
        for invoice in invoices
        for place, line in enumerate(invoice["lines"], start=1)
        if line["kind"] == "usage"
    )
    console.print(f"\n[bold]Why?[/bold]  weir explain {invoice} {line}")
    show(console, await weir.get(f"invoices/{invoice}/lines/{line}/explain"))
    verdicts = [await weir.get(f"invoices/{each['number']}/verify") for each in invoices]
    agreeing = sum(each["verdict"] == "agrees" for each in verdicts)
    console.print(
        f"{agreeing} of {len(verdicts)} invoices, computed again from their events alone, agree to the byte"
    )


async def _usage_rows(weir: WeirClient, buyer: Buyer) -> list[tuple[str, str, str]]:
    rows = []
    window: dict[str, Any] = {"from": written(START), "to": written(PERIOD_END)}
    for meter in METERS:
        answer = await weir.get(f"customers/{buyer.key}/usage", meter=str(meter["key"]), **window)
        rows.append((buyer.name, str(meter["key"]), str(answer["data"][0]["quantity"])))
    return rows
