"""Up to where it was looked for late usage of a life, and when wallets were last tried: so neither grows with age or load."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(LOOKED_TO)
    op.execute(TRIED_AT)
    op.execute(GRANTS_THAT_LAST)


# Transactions before `looked_to` have reached none of the windows that were billed of a life, or none that ends before
# `late_from`: what comes after is found by the transactions that touched rollups. At the beginning nothing was looked for.
LOOKED_TO = """
    ALTER TABLE running_usage ADD COLUMN looked_to xid8 NOT NULL DEFAULT '0', ADD COLUMN late_from timestamptz;
"""

# When it was last tried to bring a wallet up to date, whether or not it could be: those wait longest have their turn.
TRIED_AT = """
    ALTER TABLE wallets ADD COLUMN tried_at timestamptz;
"""

# Those of which something may be left: of a life of years most have ended.
GRANTS_THAT_LAST = """
    CREATE INDEX credit_grants_that_last ON credit_grants (environment_id, customer_id, seq) WHERE ended_at IS NULL;
"""
