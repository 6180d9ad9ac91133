"""A top-up keeps the bonus that was promised with it."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE top_ups ADD COLUMN bonus jsonb")
