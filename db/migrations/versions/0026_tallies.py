"""What is kept of an allowance goes on with the end of the log, which is kept by customer until the pump has counted it."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(TALLIES)
    op.execute(EVENTS_TOLD)
    op.execute(TELL_NEWS)


# `seen` is the snapshot of which an allowance is; `watermark`, which is its horizon, is where to look for news. Where what
# was used is one sum, `measured` is that sum, neither rounded nor cut at 0, of the events of a meter in a window.
TALLIES = """
    ALTER TABLE allowances
        ADD COLUMN seen pg_snapshot,
        ADD COLUMN meter text,
        ADD COLUMN subscription_id text,
        ADD COLUMN window_start timestamptz,
        ADD COLUMN window_end timestamptz,
        ADD COLUMN measured numeric;
"""

# `events` are null where they are not told: then whoever counts them looks for them in the log. `noted` is news that the pump
# has passed on, and that waits for a sum to count it.
EVENTS_TOLD = """
    ALTER TABLE usage_news ADD COLUMN events json, ADD COLUMN noted boolean NOT NULL DEFAULT false;
    GRANT UPDATE ON usage_news TO weir_app;
"""

# The events of a customer of whom a sum is kept, if they are few. Of whom none is, as this transaction sees it, is told that
# there are events; so is who adds to the log twice in one transaction. Then it is computed whole.
TELL_NEWS = """
    CREATE OR REPLACE FUNCTION tell_usage_news() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
    BEGIN
        INSERT INTO usage_news (environment_id, customer_id, tx, events)
            SELECT environment_id, customer_id, tx, CASE WHEN count(*) <= 100 AND EXISTS (
                SELECT FROM allowances a
                WHERE a.environment_id = added.environment_id AND a.customer_id = added.customer_id
                    AND a.meter IS NOT NULL
            ) THEN json_agg(json_build_array(
                event_name, subscription_id, time, properties, voids IS NOT NULL
            )) END
            FROM added GROUP BY environment_id, customer_id, tx
            ON CONFLICT (environment_id, customer_id, tx) DO UPDATE SET events = NULL;
        RETURN NULL;
    END
    $$;
"""
