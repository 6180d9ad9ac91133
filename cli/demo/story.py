"""The company of the demo: what it sells, who buys it, and what they use in a month."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD_END = datetime(2026, 2, 1, tzinfo=UTC)
UNTIL = datetime(2026, 2, 5, tzinfo=UTC)  # after the retry of the declined payment
BATCH = 500

METERS = (
    {
        "key": "tokens",
        "event_name": "llm.completion",
        "aggregation": "sum",
        "value": "input_tokens + 4 * output_tokens",
    },
    {"key": "images", "event_name": "image.generated", "aggregation": "count"},
)
MONTHLY = {"interval": {"unit": "month", "count": 1}, "anchor": "anniversary", "currency": "USD"}


def _base(amount: str) -> dict[str, object]:
    price = {"model": "flat", "amount": amount}
    return {"key": "base", "kind": "recurring", "charged": "in_advance", "price": price}


def _tokens(first: str, beyond: str) -> dict[str, object]:
    tiers = [
        {"up_to": "10000000", "unit_amount": first},
        {"up_to": None, "unit_amount": beyond},
    ]
    price = {"model": "graduated", "tiers": tiers}
    return {
        "key": "tokens", "kind": "usage", "meter": "tokens", "charged": "in_arrears", "price": price,
    }  # fmt: skip


def _images(unit_amount: str) -> dict[str, object]:
    price = {"model": "per_unit", "unit_amount": unit_amount}
    return {
        "key": "images", "kind": "usage", "meter": "images", "charged": "in_arrears", "price": price,
    }  # fmt: skip


PLANS = (
    {
        "key": "starter", "name": "Starter", **MONTHLY,
        "items": [_base("20.00"), _tokens("0.0000025", "0.0000015"), _images("0.04")],
    },
    {
        "key": "scale", "name": "Scale", **MONTHLY,
        "items": [_base("99.00"), _tokens("0.000002", "0.000001"), _images("0.025")],
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Buyer:
    """A customer, how often they call, and how their card answers each attempt in turn."""

    key: str
    name: str
    plan: str
    completions_a_day: int
    images_a_day: int
    card: tuple[str, ...] = ("succeeded",)
    top_up: str | None = None
    promotion: str | None = None


BUYERS = (
    Buyer("acme", "Acme Search", "scale", completions_a_day=60, images_a_day=0),
    Buyer("globex", "Globex Studio", "starter", 20, 12, top_up="30.00", promotion="25.00"),
    Buyer(
        "initech", "Initech Support", "starter", completions_a_day=25, images_a_day=1,
        card=("succeeded", "declined:insufficient_funds", "succeeded"),
    ),
)  # fmt: skip
PROMOTION_ENDS = datetime(2026, 1, 20, tzinfo=UTC)


def usage_of(buyer: Buyer) -> Iterator[dict[str, object]]:
    """A month of events, the same at every run."""
    for day in range((PERIOD_END - START).days):
        for number in range(buyer.completions_a_day):
            yield _event(buyer, "llm.completion", day, number, buyer.completions_a_day)
        for number in range(buyer.images_a_day):
            yield _event(buyer, "image.generated", day, number, buyer.images_a_day)


def _event(buyer: Buyer, name: str, day: int, number: int, of: int) -> dict[str, object]:
    at = START + timedelta(days=day, seconds=number * 86_400 // of + 7)
    sizes = {
        "input_tokens": str(1_500 + (day * 131 + number * 17) % 9_000),
        "output_tokens": str(200 + (day * 37 + number * 71) % 1_800),
    }
    return {
        "id": f"{buyer.key}-{name}-{day}-{number}",
        "event_name": name,
        "customer": buyer.key,
        "time": at.isoformat().replace("+00:00", "Z"),
        "properties": sizes if name == "llm.completion" else {"size": "1024x1024"},
    }


def batches(events: list[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    for first in range(0, len(events), BATCH):
        yield events[first : first + BATCH]
