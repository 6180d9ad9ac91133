"""Who subscribed is found by the subscription."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- squawk-ignore require-concurrent-index-creation
    CREATE INDEX requests_subscribing ON requests (subscription_id) WHERE kind = 'subscribe';
    """)
