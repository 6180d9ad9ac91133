"""When each transaction of the ledger was recorded, in its customer's own time."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE ledger_transactions ADD COLUMN recorded_at timestamptz")
    op.execute(OF_WHAT_IS_THERE)
    op.execute(REQUIRED)


# In real time a row was recorded when it was written. On a test clock nothing comes late: it was recorded when it happened,
# or, what was told of the past, no earlier than what had been recorded before. Their owner sees the rows of one environment,
# too, but for this statement those of all; and no later one changes them.
OF_WHAT_IS_THERE = """
    ALTER TABLE customers NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE ledger_transactions NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE ledger_transactions DISABLE TRIGGER refuse_changes;
    UPDATE ledger_transactions t SET recorded_at = told.recorded_at
    FROM (
        SELECT each.id, max(CASE WHEN c.test_clock_id IS NULL THEN each.created_at ELSE each.at END) OVER (
            PARTITION BY each.environment_id, each.customer_id ORDER BY each.id
        ) AS recorded_at
        FROM ledger_transactions each
        JOIN customers c ON c.environment_id = each.environment_id AND c.id = each.customer_id
    ) AS told
    WHERE told.id = t.id;
    ALTER TABLE ledger_transactions ENABLE TRIGGER refuse_changes;
    ALTER TABLE ledger_transactions FORCE ROW LEVEL SECURITY;
    ALTER TABLE customers FORCE ROW LEVEL SECURITY;
"""

# The default is for releases that do not know the column yet.
REQUIRED = """
    ALTER TABLE ledger_transactions ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
    -- squawk-ignore adding-not-nullable-field
    ALTER TABLE ledger_transactions ALTER COLUMN recorded_at SET NOT NULL;
"""
