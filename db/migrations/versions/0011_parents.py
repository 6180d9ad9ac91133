"""Customers that belong to another, and subscriptions that pool the usage of a family."""

from alembic import op

from db.migrations.rls import protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    may = "SELECT, INSERT, UPDATE (billing, until, left_tx)"
    op.execute(MEMBERSHIPS + protect("memberships", may))
    op.execute("ALTER TABLE subscriptions ADD COLUMN pools_usage boolean NOT NULL DEFAULT false")


# A child belongs to its parent from `since` (the beginning, where it is null) to `until`. Like an event, a membership is
# known to whoever looks at the usage log up to a horizon behind the transaction that brought it: `tx`, and `left_tx` the
# one that ended it.
MEMBERSHIPS = """
    CREATE TABLE memberships (
        environment_id text NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        parent_id text NOT NULL,
        child_id text NOT NULL,
        billing text NOT NULL CHECK (billing IN ('self', 'parent')),
        since timestamptz,
        until timestamptz,
        tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
        left_tx xid8,
        PRIMARY KEY (environment_id, seq),
        FOREIGN KEY (environment_id, parent_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, child_id) REFERENCES customers (environment_id, id),
        CONSTRAINT another CHECK (parent_id <> child_id),
        CONSTRAINT left_by_a_transaction CHECK ((until IS NULL) = (left_tx IS NULL))
    );
    CREATE UNIQUE INDEX memberships_standing ON memberships (environment_id, child_id)
        WHERE until IS NULL;
    CREATE INDEX memberships_of_child ON memberships (environment_id, child_id);
    CREATE INDEX memberships_of_parent ON memberships (environment_id, parent_id);
"""
