"""Sending a plan that was made of a price list: its meters, where they are not there yet, then the plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.client import Refused, WeirClient
from domain.errors import Conflict
from domain.metering.meter import Meter, read_meter
from domain.price_lists import Document, Imported

MOST_TOLD = 10
KEPT_BESIDE = ("id", "created_at", "archived_at")  # of a document that is given back


@dataclass(frozen=True, slots=True)
class Sent:
    """`meters` are the keys of those that were made; the plan is at `version`, made now or before."""

    meters: tuple[str, ...]
    plan: str
    version: int
    made: bool


async def send(
    imported: Imported, weir: WeirClient, shares_events: bool = False, is_named: bool = True
) -> Sent:
    """Make what is not there. Again, it changes nothing: without a name of its own, the plan keeps the one it has.

    Raises `Conflict` for a meter that is there and is another, and, unless `shares_events`, where other meters count the
    same events: those of them that do not tell their tokens would be refused from now on.
    """
    missing = [meter for meter in imported.meters if not await _is_kept(weir, meter)]
    if missing and not shares_events:
        await _require_own_events(weir, imported)
    for meter in missing:
        await weir.post("meters", meter)
    key = str(imported.plan["key"])
    before = await _find(weir, f"plans/{key}")
    named = (
        imported.plan if before is None or is_named else {**imported.plan, "name": before["name"]}
    )
    plan = await weir.post("plans", named)
    made = before is None or before["version"] != plan["version"]
    return Sent(tuple(str(meter["key"]) for meter in missing), key, plan["version"], made)


async def _require_own_events(weir: WeirClient, imported: Imported) -> None:
    own = {meter["key"] for meter in imported.meters}
    names = {meter["event_name"] for meter in imported.meters}
    others = [
        meter["key"]
        for meter in await weir.every("meters")
        if meter["event_name"] in names and meter["key"] not in own and not meter["archived_at"]
    ]
    if others:
        raise Conflict(
            f"{', '.join(others[:MOST_TOLD])} count {', '.join(sorted(map(str, names)))} already: events that do not tell"
            " their tokens would be refused; choose another --event-name, or --share-events"
        )


async def _is_kept(weir: WeirClient, meter: Document) -> bool:
    kept = await _find(weir, f"meters/{meter['key']}")
    if kept is None:
        return False
    if _without_times(kept) != read_meter(meter):
        raise Conflict(
            f"there is a meter {meter['key']} already, and it measures something else:"
            " choose another --event-name"
        )
    return True


async def _find(weir: WeirClient, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await weir.get(path)
    except Refused as refused:
        if refused.problem.get("status") == 404:
            return None
        raise
    return found


def _without_times(kept: Mapping[str, Any]) -> Meter:
    return read_meter({name: kept[name] for name in kept if name not in KEPT_BESIDE})
