"""Explanations and verdicts as a person reads them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Document = Mapping[str, Any]


def show(console: Console, line: Document) -> None:
    """One line of an invoice, from its amount to its events and its cents."""
    heading = Text(f"{line['invoice']} line {line['line']}", style="bold")
    console.print(heading, Text(f": {line['description']} ({line['kind']})"), sep="")
    stretch = "" if line["period"] is None else f", {_period(line['period'])}"
    exact = line["exact_amount"]
    _say(console, f"{line['amount']} {line['currency']}, exactly {exact}{stretch}")
    if not line["agrees"]:
        _say(console, "It is not what its decision brings again: see `weir explain --verify`.")
    _say(console, line["in_words"])
    if line["trace"] is not None:
        _say(console, line["formula"])
        console.print(_steps(line))
    for sentence in (*_usage(line), *_whole(line), *_settled(line)):
        _say(console, sentence)


def verdict(found: Document) -> Iterator[str]:
    """What came of verifying a document, a difference a line."""
    reason = "" if found["reason"] is None else f": {found['reason']}"
    yield f"{found['number']} {found['verdict']}{reason}"
    for each in found["differences"]:
        path = each["path"] or "the document"
        yield f"  {path}: issued {each['issued']!r}, recomputed {each['recomputed']!r}"


def _say(console: Console, sentence: str) -> None:
    console.print(f"  {sentence}", markup=False, highlight=False)


def _steps(line: Document) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("price")
    for name in ("quantity", "rate", "amount"):
        table.add_column(name, justify="right")
    for step in line["trace"]:
        told = (step["step"], step["quantity"] or "", step["rate"] or "", step["amount"])
        table.add_row(*map(Text, told))  # as it is: a name may look like markup
    table.add_row("", "", "", line["rated"], style="bold")
    return table


def _usage(line: Document) -> Iterator[str]:
    usage = line["usage"]
    if usage is None:
        return
    meter = usage["meter"]
    of = f" of {meter['value']}" if meter.get("value") else ""
    rounded = "" if usage["measured"] == usage["quantity"] else f", rounded to {usage['quantity']}"
    yield (
        f"Measured by {meter['key']}: {usage['aggregation']}{of} over {meter['event_name']} is"
        f" {usage['measured']}{rounded}."
    )
    if meter["filters"]:
        yield f"Only of events that pass {json.dumps(meter['filters'], ensure_ascii=False)}."
    if meter["window"] is not None:
        yield f"Each {meter['window']} for itself, on the clock of {usage['timezone']}, then added."
    if meter["carry_over"]:
        yield "The level at the end of a period starts the next: earlier events count too."
    for pause in usage["pauses"]:
        yield f"Left out: the pause {_period(pause)}."
    number = usage["number_of_events"]
    events = "1 event" if number == 1 else f"{number} events"
    yield f"From {events} before watermark {usage['cut_off']}: {usage['events']}"
    if line["settled"] is not None:
        yield f"Rounded to {line['settled']}."
    if (before := line["billed_before"]) is not None:
        on = ", ".join(before["invoices"]) or "no invoice"
        yield f"Less {before['exact_amount']} for {before['quantity']}, billed before on {on}."


def _whole(line: Document) -> Iterator[str]:
    """Shares of a period, commitments, and what was asked for."""
    if (share := line["share"]) is not None:
        of = (
            f"{share['part']} of {share['whole']} {share['unit']}s"
            if share["unit"]
            else "all of it"
        )
        yield f"{share['full_amount']} for the whole period, times {share['fraction']} ({of})."
    if (compared := line["commitment"]) is not None:
        yield (
            f"Committed {compared['committed']} times {compared['fraction']} is {compared['minimum']};"
            f" spent {compared['spent']}; overage factor {compared['overage_factor']}."
        )
    if (asked := line["asked"]) is not None:
        yield f"Asked for: {asked['description']}, {asked['quantity']} for {asked['amount']}."


def _settled(line: Document) -> Iterator[str]:
    rounding = line["rounding"]
    yield (
        f"Rounding: {rounding['exact_subtotal']} settles to {rounding['subtotal']};"
        f" this line's floor is {rounding['floor']}. {rounding['in_words']}"
    )
    for each in line["discounts"]:
        yield f"Coupon {each['coupon']}: {each['amount']} of its {each['of']}."
    for each in line["promotional_credits"]:
        yield f"Credit {each['grant']}: {each['amount']} of its {each['of']}."
    for each in line["taxes"]:
        inclusive = ", included" if each["inclusive"] else ""
        yield (
            f"Tax {each['rate']}, {each['percent']} percent of {each['net']}{inclusive}:"
            f" {each['amount']} of its {each['of']}."
        )


def _period(pair: Sequence[str]) -> str:
    return f"{pair[0]} to {pair[1]}"
