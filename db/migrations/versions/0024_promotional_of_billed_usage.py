"""What promotional credits have paid of usage is known by its window: a correction gives it back to them. Of what was billed
before, nothing is known.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billed_usage ADD COLUMN promotional jsonb NOT NULL DEFAULT '[]'")
