"""Rollups for every aggregation: by grains that are as short as a meter needs them, with moments and distinct values."""

from alembic import op

from db.migrations.rls import protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(ROLLUPS)
    op.execute(VALUES + protect("usage_values"))
    op.execute(FROM_THE_BEGINNING)


# What was kept by the hour is rebuilt from the log. The other name keeps a pump that does not know of grains yet from
# adding hours to them. A row whose measures were all voided stays, with the transaction that voided them.
ROLLUPS = """
    TRUNCATE usage_rollups;
    -- squawk-ignore renaming-column
    ALTER TABLE usage_rollups RENAME COLUMN hour TO grain;
    -- squawk-ignore ban-drop-constraint
    ALTER TABLE usage_rollups DROP CONSTRAINT usage_rollups_count_check;
    -- squawk-ignore ban-drop-constraint
    ALTER TABLE usage_rollups DROP CONSTRAINT all_sums_or_none;
    ALTER TABLE usage_rollups ADD COLUMN moment numeric, ADD COLUMN first_time timestamptz, ADD COLUMN held numeric,
        ADD CONSTRAINT some_or_none CHECK (count >= 0) NOT VALID,
        ADD CONSTRAINT all_sums_or_none CHECK (
            num_nonnulls(total, highest, lowest, latest_time, latest_arrival, latest_value, moment) IN (0, 7)
        ) NOT VALID,
        ADD CONSTRAINT held_from_the_first CHECK (num_nonnulls(first_time, held) IN (0, 2)) NOT VALID;
"""

# The distinct values of a rollup, and how often each came. Where values only need to be told apart, their hash does.
VALUES = """
    CREATE TABLE usage_values (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        meter text NOT NULL,
        grain timestamptz NOT NULL,
        subscription_id text NOT NULL,
        group_hash bytea NOT NULL,
        value_hash bytea NOT NULL,
        value numeric,
        count bigint NOT NULL CHECK (count > 0),
        PRIMARY KEY (environment_id, customer_id, meter, grain, subscription_id, group_hash, value_hash)
    );
"""

# Their owner sees the rows of one environment, too, but for this statement those of all.
FROM_THE_BEGINNING = """
    ALTER TABLE meters NO FORCE ROW LEVEL SECURITY;
    UPDATE meters SET rolled_up_to = '0', unreadable = 0;
    ALTER TABLE meters FORCE ROW LEVEL SECURITY;
"""
