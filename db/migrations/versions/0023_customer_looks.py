"""Alerts on usage and limits watch customers, and not their wallets: a customer's override needs none."""

from alembic import op

from db.migrations.rls import protect

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(LOOKS + protect("customer_looks", "SELECT, INSERT, DELETE"))
    op.execute(OPEN_AGAIN)


# When to look at what a customer uses. A transaction that changes it adds a row of its own, to be looked at once: nobody
# waits for anybody, and a look takes away only what it has seen. The look itself adds when time alone will have changed it.
LOOKS = """
    CREATE TABLE customer_looks (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
        look_at timestamptz NOT NULL,
        PRIMARY KEY (environment_id, customer_id, tx),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id)
    );
    CREATE INDEX customer_looks_due ON customer_looks (environment_id, look_at);
"""

# Those whom older alerts watch are looked at once. Their owner sees the rows of one environment, but for this those of all.
OPEN_AGAIN = """
    ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
    UPDATE alerts SET is_open = false, open_after = NULL WHERE currency IS NULL;
    ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
"""
