"""States of subscriptions that came later."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- squawk-ignore ban-drop-constraint
    ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_status_check;
    ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_status_check CHECK (
        status IN ('scheduled', 'incomplete', 'trialing', 'active', 'paused', 'cancelled')
    ) NOT VALID;
    """)
    op.execute("""
    -- squawk-ignore constraint-missing-not-valid
    ALTER TABLE subscriptions VALIDATE CONSTRAINT subscriptions_status_check;
    """)
