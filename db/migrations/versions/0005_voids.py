"""Events that take other events back."""

from alembic import op

from db.migrations.rls import READ_AND_ADD, protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(EVENTS)
    op.execute(KEYS)
    op.execute(VOIDS + protect("usage_voids", READ_AND_ADD))


# An event that voids another is a row of the log too, with the customer, the time and the properties of the one it
# voids, so whoever follows the log by transaction sees what it reaches.
EVENTS = "ALTER TABLE usage_events ADD COLUMN voids text;"

# An event is found by its id through the transaction that brought it: the log has an index of those. Events from before
# this have none noted, which would take a long lock to mend, and are found by their time instead.
KEYS = """
    ALTER TABLE usage_event_keys ADD COLUMN tx xid8;
    ALTER TABLE usage_event_keys ALTER COLUMN tx SET DEFAULT pg_current_xact_id();
"""

# Each event is voided once: an event whose void is of a transaction before a cut-off counts nothing there. `at` is by
# the clock of the event's customer.
VOIDS = """
    CREATE TABLE usage_voids (
        environment_id text NOT NULL,
        event_id text NOT NULL,
        void_id text NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL,
        tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
        PRIMARY KEY (environment_id, event_id)
    );
"""
