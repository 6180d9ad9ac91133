"""Holds that were asked for in a custom unit, and all holds in the order in which they were made."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(UNITS)
    op.execute(IN_ORDER)


# What is held is money; the unit, and the rate of then, are how it was asked for.
UNITS = """
    ALTER TABLE holds ADD COLUMN unit text, ADD COLUMN unit_rate numeric;
"""

# Those of an environment are listed by id.
IN_ORDER = """
    -- squawk-ignore require-concurrent-index-creation
    CREATE INDEX holds_in_order ON holds (environment_id, id);
"""
