"""The usage log, its ids, the hourly rollups of it, and what subscriptions were told of it."""

from alembic import op

from db.migrations.rls import APP, CURRENT, READ_AND_ADD, protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(EVENTS + protect("usage_events", READ_AND_ADD))
    op.execute(OTHER_TIMES + protect("usage_events_other", READ_AND_ADD))
    op.execute(PARTITIONS)
    op.execute(EVENT_KEYS + protect("usage_event_keys", READ_AND_ADD))
    op.execute(ROLLUPS + protect("usage_rollups"))
    op.execute(SIGNALS + protect("usage_signals"))
    op.execute("ALTER TABLE meters ADD COLUMN unreadable bigint NOT NULL DEFAULT 0")


# `tx` is the one value a transaction has, and a horizon of it parts what is complete from what may still come;
# `seq` is the order of arrival. An event's id is unique by `usage_event_keys`, since a unique key of a partitioned
# table would have to hold the time too, and the same id with another time is no other event.
EVENTS = f"""
    CREATE SEQUENCE usage_events_seq AS bigint;
    GRANT USAGE ON SEQUENCE usage_events_seq TO {APP};
    CREATE TABLE usage_events (
        environment_id text NOT NULL,
        id text NOT NULL,
        event_name text NOT NULL,
        customer_id text NOT NULL,
        customer_key text NOT NULL,
        subscription_id text,
        time timestamptz NOT NULL,
        properties jsonb NOT NULL,
        tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
        seq bigint NOT NULL DEFAULT nextval('usage_events_seq'),
        received_at timestamptz NOT NULL DEFAULT clock_timestamp()
    ) PARTITION BY RANGE (time);
    CREATE INDEX usage_events_of_customer ON usage_events (environment_id, customer_id, time, seq);
    CREATE INDEX usage_events_in_order ON usage_events (environment_id, tx, seq);
"""

# Times for which there is no month: an event of any time is kept.
OTHER_TIMES = "CREATE TABLE usage_events_other PARTITION OF usage_events DEFAULT;"

# A new month is attached rather than created in place, which would stop all writers while it waits for its lock. Only
# months near now are made, so that nobody can fill the schema with tables by sending odd times; where the default
# partition already holds a row of the month, the month stays there.
PARTITIONS = f"""
    CREATE FUNCTION make_usage_partition(any_day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    DECLARE
        month date := date_trunc('month', any_day)::date;
        name text := 'usage_events_' || to_char(month, 'YYYY_MM');
    BEGIN
        IF month < date '2020-01-01' OR month > now() + interval '3 years'
            OR to_regclass('public.' || name) IS NOT NULL
        THEN
            RETURN;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('make_usage_partition'));
        -- Asked of the catalogue itself: what is cached does not know yet of whom we have just waited for.
        IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = 'public'::regnamespace)
        THEN
            RETURN;
        END IF;
        EXECUTE format(
            'CREATE TABLE public.%1$I (LIKE public.usage_events INCLUDING DEFAULTS INCLUDING INDEXES);'
            'ALTER TABLE public.%1$I ENABLE ROW LEVEL SECURITY;'
            'ALTER TABLE public.%1$I FORCE ROW LEVEL SECURITY;'
            'CREATE POLICY own_environment ON public.%1$I'
            ' USING (environment_id = {CURRENT.replace("'", "''")})'
            ' WITH CHECK (environment_id = {CURRENT.replace("'", "''")});'
            'ALTER TABLE public.usage_events ATTACH PARTITION public.%1$I'
            ' FOR VALUES FROM (%2$L) TO (%3$L)',
            name, month::timestamp AT TIME ZONE 'UTC',
            (month + interval '1 month') AT TIME ZONE 'UTC'
        );
    EXCEPTION WHEN check_violation THEN
        RETURN;
    END
    $$;
    REVOKE ALL ON FUNCTION make_usage_partition(date) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION make_usage_partition(date) TO {APP};
"""

# Ids are unique in their environment for ever, whatever an event's time.
EVENT_KEYS = """
    CREATE TABLE usage_event_keys (
        environment_id text NOT NULL,
        event_id text NOT NULL,
        fingerprint bytea NOT NULL,
        time timestamptz NOT NULL,
        PRIMARY KEY (environment_id, event_id)
    );
"""

# One row for each hour (UTC), meter and group of a customer, apart for events that name a subscription. Its numbers
# are exact: numeric without a precision keeps every digit. A meter that needs its events has no sums, but its counts
# still say which hours were touched, and by `last_tx` after which cut-offs.
ROLLUPS = """
    CREATE TABLE usage_rollups (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        meter text NOT NULL,
        hour timestamptz NOT NULL,
        subscription_id text NOT NULL,
        group_hash bytea NOT NULL,
        group_key jsonb NOT NULL,
        count bigint NOT NULL CHECK (count > 0),
        last_tx xid8 NOT NULL,
        total numeric,
        highest numeric,
        lowest numeric,
        latest_time timestamptz,
        latest_arrival bigint,
        latest_value numeric,
        PRIMARY KEY (environment_id, customer_id, meter, hour, subscription_id, group_hash),
        CONSTRAINT all_sums_or_none CHECK (
            num_nonnulls(total, highest, lowest, latest_time, latest_arrival, latest_value) IN (0, 6)
        )
    );
    CREATE INDEX usage_rollups_touched ON usage_rollups (environment_id, customer_id, meter, last_tx);
"""

# `marked` counts how often usage has come in, `told` is the mark that the last signal answered.
SIGNALS = """
    CREATE TABLE usage_signals (
        subscription_id text PRIMARY KEY,
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        marked bigint NOT NULL DEFAULT 1,
        told bigint NOT NULL DEFAULT 0,
        watermark xid8 NOT NULL DEFAULT '0',
        signalled_at timestamptz
    );
    CREATE INDEX usage_signals_waiting ON usage_signals (environment_id, signalled_at)
        WHERE marked > told;
"""
