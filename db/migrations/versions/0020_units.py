"""Custom units of credit: what one is worth, and the grants that were given in one."""

from alembic import op

from db.migrations.rls import protect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(UNITS + protect("units"))
    op.execute(OF_GRANTS)
    op.execute(HELD)


# A noun of the catalogue: one document under a key. A grant keeps the unit and the rate that it was given in.
UNITS = """
    CREATE TABLE units (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
        document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
        created_at timestamptz NOT NULL DEFAULT now(),
        archived_at timestamptz,
        UNIQUE (environment_id, key),
        UNIQUE (environment_id, id)
    );
"""

OF_GRANTS = """
    ALTER TABLE credit_grants ADD COLUMN unit text, ADD COLUMN unit_rate numeric;
    ALTER TABLE credit_grants ADD CONSTRAINT a_unit_at_a_rate CHECK (
        (unit IS NULL) = (unit_rate IS NULL) AND coalesce(unit_rate > 0, true)
    ) NOT VALID;
"""

HELD = """
    -- squawk-ignore constraint-missing-not-valid
    ALTER TABLE credit_grants VALIDATE CONSTRAINT a_unit_at_a_rate;
"""
