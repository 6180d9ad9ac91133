"""What each step of a life was decided on."""

from alembic import op

from db.migrations.rls import READ_AND_ADD, protect, refuse_changes

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(DECISIONS + protect("decisions", READ_AND_ADD) + refuse_changes("decisions"))
    op.execute(DECIDED)


# Only of steps that issued a document. Plans, meters, events and earlier invoices are not in it: they never change.
DECISIONS = """
    CREATE TABLE decisions (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        subscription_id text,
        name text NOT NULL,
        grounds jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id)
    );
"""

# Documents from before this have none.
DECIDED = """
    ALTER TABLE invoices ADD COLUMN decision_id text;
    ALTER TABLE credit_notes ADD COLUMN decision_id text;
    ALTER TABLE invoices ADD CONSTRAINT invoices_decided FOREIGN KEY (environment_id, decision_id)
        REFERENCES decisions (environment_id, id) NOT VALID;
    ALTER TABLE credit_notes ADD CONSTRAINT credit_notes_decided FOREIGN KEY (environment_id, decision_id)
        REFERENCES decisions (environment_id, id) NOT VALID;
"""
