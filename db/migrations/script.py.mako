"""${message}"""

from alembic import op

from db.migrations.rls import protect

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: what was billed stays, and a mistake is mended by the next migration."""
    ${upgrades if upgrades else 'op.execute("")'}
