"""What runs up, subscription by subscription: marked where something may have changed it, rated by whoever follows the
usage log, summed up in the wallet of who pays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.claims import Claimed, give_back_what_is_counted, settled_on_credit
from db.facts import load_plan
from db.pools import MEASURING
from db.running_facts import Look, Marked, Payer, look_at, marked_of
from db.session import Database
from db.usage_horizon import all_before
from domain.account import Need
from domain.ahead import Ahead
from domain.money import Money, greatest, settle, total
from domain.plans import Plan, PlanRef
from domain.pricing.usage import Usage
from domain.running import billed_usage, running_needs, running_up
from domain.subscription import Subscription

BEGINNING = "0"  # of the usage log
WRITTEN_AT_ONCE = 10  # wallets: holds on them wait for so many


@dataclass(frozen=True, slots=True)
class _Rated:
    """What runs up for some payers, life by life, with the usage that a look counted, and how far their wallets may go
    below zero.
    """

    marked: Sequence[Marked]
    amounts: Sequence[Money]
    overdrafts: Mapping[Payer, Money]
    look: Look


# Of a life that is over runs up what comes late for a window that was billed, until it is billed too.
_MARK = text(f"""
    INSERT INTO running_usage AS kept (subscription_id, environment_id, customer_id, currency)
    SELECT id, environment_id, coalesce(state ->> 'payer', customer_id), state ->> 'currency'
    FROM subscriptions s
    WHERE state ? 'currency' AND id IN ({MEASURING}) AND (status <> 'cancelled' OR EXISTS (
        SELECT FROM billed_usage b
        WHERE b.environment_id = s.environment_id AND b.subscription_id = s.id AND b.window_end > :earliest
    ))
    ORDER BY id
    ON CONFLICT (subscription_id) DO UPDATE SET marked = kept.marked + 1
""")
_MARK_LIFE = text("""
    UPDATE running_usage SET marked = marked + 1 WHERE subscription_id = :subscription
""")
_MARK_PAYER = text("""
    UPDATE running_usage r SET marked = r.marked + 1
    FROM (
        SELECT subscription_id FROM running_usage WHERE customer_id = :customer
        ORDER BY subscription_id FOR UPDATE
    ) mine WHERE r.subscription_id = mine.subscription_id
""")
_LIVED = text("""
    INSERT INTO running_usage AS kept (subscription_id, environment_id, customer_id, currency)
    VALUES (:subscription, :environment, :customer, :currency)
    ON CONFLICT (subscription_id) DO UPDATE SET
        marked = kept.marked + 1, lived = kept.lived + 1,
        looked_to = least(kept.looked_to, CAST(CAST(:cut_off AS text) AS xid8)),
        amount_minor = greatest(kept.amount_minor - :billed, 0)
""")
# Also those whose holds were settled with what is complete by now, though nothing of it may run up.
_PAYERS = text("""
    SELECT customer_id, currency FROM wallets JOIN (
        SELECT environment_id, customer_id, currency FROM running_usage WHERE marked > rated
        UNION
        SELECT environment_id, payer_id, currency FROM holds
        WHERE currency IS NOT NULL AND status = 'settled' AND claim > 0
            AND settled_tx < pg_snapshot_xmin(pg_current_snapshot())
    ) waiting USING (environment_id, customer_id, currency)
    ORDER BY tried_at NULLS FIRST, customer_id, currency LIMIT :limit
""")
# Whose wallet somebody has just now is as good as tried.
_TRY = text("""
    UPDATE wallets w SET tried_at = clock_timestamp()
    FROM (
        SELECT customer_id, currency FROM wallets
        JOIN unnest(CAST(:customers AS text[]), CAST(:currencies AS text[])) AS p (customer_id, currency)
            USING (customer_id, currency)
        FOR UPDATE OF wallets SKIP LOCKED
    ) tried WHERE w.customer_id = tried.customer_id AND w.currency = tried.currency
""")
_LOCK = text("""
    SELECT watermark::text FROM wallets WHERE customer_id = :customer AND currency = :currency FOR UPDATE
""")
_LOCK_ALL = text("""
    SELECT FROM wallets w
    JOIN unnest(CAST(:customers AS text[]), CAST(:currencies AS text[])) AS p (customer, currency)
        ON w.customer_id = p.customer AND w.currency = p.currency
    ORDER BY w.customer_id, w.currency FOR UPDATE OF w
""")
# As the pump marks them: in their order.
_LOCK_MARKED = text("""
    SELECT FROM running_usage WHERE subscription_id = ANY(:subscriptions)
    ORDER BY subscription_id FOR UPDATE
""")
_RATED = text("""
    UPDATE running_usage r
    SET rated = greatest(r.rated, n.mark), rated_at = clock_timestamp(), amount_minor = n.amount,
        looked_to = CAST(:looked_to AS xid8), late_from = n.late_from
    FROM unnest(CAST(:subscriptions AS text[]), CAST(:marks AS bigint[]), CAST(:lived AS bigint[]),
        CAST(:amounts AS bigint[]), CAST(:late_from AS timestamptz[]))
        AS n (subscription, mark, lived, amount, late_from)
    WHERE r.subscription_id = n.subscription AND r.lived = n.lived AND r.rated < n.mark
    RETURNING r.subscription_id
""")
_SUM = """running_minor = (SELECT coalesce(sum(r.amount_minor), 0) FROM running_usage r
            WHERE r.environment_id = w.environment_id AND r.customer_id = w.customer_id AND r.currency = w.currency),
        changed = changed + 1"""
_SUM_UP = text(f"""
    UPDATE wallets w SET {_SUM}, overdraft_minor = p.overdraft, watermark = greatest(w.watermark, CAST(p.watermark AS xid8))
    FROM unnest(CAST(:customers AS text[]), CAST(:currencies AS text[]), CAST(:overdrafts AS bigint[]),
        CAST(:watermarks AS text[])) AS p (customer, currency, overdraft, watermark)
    WHERE w.customer_id = p.customer AND w.currency = p.currency
    RETURNING w.customer_id, w.currency, w.watermark::text
""")
_SUM_AGAIN = text(f"""
    UPDATE wallets w SET {_SUM}, overdraft_minor = :overdraft WHERE w.customer_id = :customer AND w.currency = :currency
""")
_LIVING = text("""
    SELECT DISTINCT p.customer, p.currency, s.plan_key, s.plan_version
    FROM unnest(CAST(:customers AS text[]), CAST(:currencies AS text[])) AS p (customer, currency)
    JOIN running_usage r ON r.customer_id = p.customer AND r.currency = p.currency
    JOIN subscriptions s ON s.environment_id = r.environment_id AND s.id = r.subscription_id
        AND s.status NOT IN ('cancelled', 'incomplete')
""")


async def mark_running(connection: AsyncConnection, used: Mapping[str, datetime]) -> None:
    """Usage of these customers came in, the earliest of each at that instant: what their subscriptions run up, and those
    that pool it, is to be rated.
    """
    if used:
        asked = {"customers": sorted(used), "earliest": min(used.values())}
        await connection.execute(_MARK, asked)


async def mark_payer(connection: AsyncConnection, customer: str) -> None:
    """Other taxes, say: all that runs up for a customer who pays may come to something else."""
    await connection.execute(_MARK_PAYER, {"customer": customer})


async def mark_unbilled(connection: AsyncConnection, subscription: str | None) -> None:
    """An invoice of a life is void: what it had billed of usage runs up again. After all that is posted of it: who rates
    has the wallet before this.
    """
    await connection.execute(_MARK_LIFE, {"subscription": subscription})


async def note_step(
    connection: AsyncConnection, subscription: Subscription, billed: Money, cut_off: int | None
) -> None:
    """A step of a life was taken, which billed so much usage: that runs up no longer, and the rest is to be rated anew.
    Where it closed windows, it is looked for what has reached these since `cut_off`. How far holds may go below zero is
    what the plans say that live from now on: a plan that is over covers no hold, and one that begins covers the first.
    """
    row = {
        "subscription": subscription.id,
        "environment": subscription.environment,
        "customer": subscription.billed_to,
        "currency": subscription.currency,
        "billed": billed.minor,
        "cut_off": None if cut_off is None else str(cut_off),
    }
    who = {"customer": subscription.billed_to, "currency": subscription.currency}
    wallet = (await connection.execute(_LOCK, who)).one_or_none()  # first, as whoever rates does
    await connection.execute(_LIVED, row)
    if wallet is not None:
        most = await overdraft_of(connection, Payer(who["customer"], who["currency"]))
        await connection.execute(_SUM_AGAIN, who | {"overdraft": most.minor})


async def payers_waiting(connection: AsyncConnection, limit: int) -> Sequence[Payer]:
    """Those with a wallet for whom something may run up that was not rated yet: first those whom it was longest not tried
    for, so that nobody waits for ever behind others, whether these are many or fail each time.
    """
    rows = await connection.execute(_PAYERS, {"limit": limit})
    return [Payer(*row) for row in rows]


async def note_tried(connection: AsyncConnection, payers: Sequence[Payer]) -> None:
    """It is about to be tried to rate what runs up for them."""
    await connection.execute(_TRY, _columns(payers))


async def rate_running(database: Database, environment: str, payer: Payer) -> None:
    """As `rate_payers`, of one."""
    await rate_payers(database, environment, [payer])


async def rate_payers(database: Database, environment: str, payers: Collection[Payer]) -> None:
    """Rate what runs up for some payers, and bring their wallets up to date. It is measured in one transaction and written
    down in another, so that holds never wait for a rating: what is measured of a horizon stays true, and what a step of a
    life has changed meanwhile is left to the next time, and so are the claims of holds that were settled with it.
    """
    payers = sorted(set(payers))
    async with database.transaction(environment, "REPEATABLE READ") as connection:
        rated = await _rate(connection, payers)
    for first in range(0, len(payers), WRITTEN_AT_ONCE):
        async with database.transaction(environment) as connection:
            await _write(connection, payers[first : first + WRITTEN_AT_ONCE], rated)


async def overdraft_of(connection: AsyncConnection, payer: Payer) -> Money:
    """How far below zero the most generous of the living plans lets the wallet go."""
    return (await _overdrafts(connection, [payer], {}))[payer]


async def _rate(connection: AsyncConnection, payers: Sequence[Payer]) -> _Rated:
    marked = await marked_of(connection, payers)
    look = await look_at(connection, marked)
    lives = await look.ahead(marked)
    used = await look.usage((a.subscription, running_needs(a.subscription, a.facts)) for a in lives)
    return _Rated(
        marked,
        [
            _runs_up(ahead, used[ahead.subscription.id], each.at)
            for each, ahead in zip(marked, lives, strict=True)
        ],
        await _overdrafts(connection, payers, look.plans),
        look,
    )


def _runs_up(ahead: Ahead, usage: Mapping[Need, Usage], at: datetime) -> Money:
    """What a life runs up now, with what a period that waits to be closed has billed."""
    living, facts = ahead.subscription, replace(ahead.facts, usage=usage)
    closed = [billed_usage(invoice.lines, living.currency) for invoice in ahead.invoices]
    return total([*closed, running_up(facts, living, at)], living.currency)


async def _write(connection: AsyncConnection, payers: Sequence[Payer], rated: _Rated) -> None:
    """Where a step has changed a life meanwhile, the watermark of who pays for it stays where it was."""
    who = _columns(payers)
    await connection.execute(_LOCK_ALL, who)
    those = [
        pair for pair in zip(rated.marked, rated.amounts, strict=True) if pair[0].payer in payers
    ]
    ids = [each.living.id for each, _ in those]
    await connection.execute(_LOCK_MARKED, {"subscriptions": ids})
    asked = {
        "subscriptions": ids,
        "marks": [each.mark for each, _ in those],
        "lived": [each.lived for each, _ in those],
        "amounts": [amount.minor for _, amount in those],
        "looked_to": str(rated.look.counted_to),
        "late_from": [rated.look.late_from.get(id) for id in ids],
    }
    written = set((await connection.execute(_RATED, asked)).scalars())
    behind = {each.payer for each, _ in those if each.living.id not in written}
    summed = {
        "overdrafts": [rated.overdrafts[payer].minor for payer in payers],
        "watermarks": [
            BEGINNING if payer in behind else str(rated.look.complete_to) for payer in payers
        ],
    }
    rows = (await connection.execute(_SUM_UP, who | summed)).all()
    known = {Claimed("currency", row[0], row[1]): row[2] for row in rows}
    for on in sorted(known.keys() & await settled_on_credit(connection, who["customers"])):
        await give_back_what_is_counted(connection, on, all_before(int(known[on])))


async def _overdrafts(
    connection: AsyncConnection, payers: Sequence[Payer], plans: Mapping[PlanRef, Plan]
) -> dict[Payer, Money]:
    most = {payer: Money(0, payer.currency) for payer in payers}
    known = dict(plans)
    for customer, currency, key, version in await connection.execute(_LIVING, _columns(payers)):
        payer, ref = Payer(customer, currency), PlanRef(key, version)
        if ref not in known:
            known[ref] = await load_plan(connection, ref)
        most[payer] = greatest(most[payer], settle(known[ref].overdraft, currency))
    return most


def _columns(payers: Sequence[Payer]) -> dict[str, list[Any]]:
    return {
        "customers": [payer.customer for payer in payers],
        "currencies": [payer.currency for payer in payers],
    }
