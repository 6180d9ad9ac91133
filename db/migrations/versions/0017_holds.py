"""Holds: what calls whose cost is not known yet claim beforehand."""

from alembic import op

from db.migrations.rls import protect

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(HOLDS + protect("holds", "SELECT, INSERT, UPDATE"))


# `claim` is what is reserved for a hold still, in the wallet of `payer_id` or, where it is on a feature, in the customer's
# allowance: what is reserved there is the sum of its holds' claims. `settled_tx` is the transaction that brought the event it
# was settled with. Rows are added with one that refers to their customer, in the same statement: no foreign key asks again.
HOLDS = """
    CREATE TABLE holds (
        id text PRIMARY KEY,
        environment_id text NOT NULL,
        key text,
        customer_id text NOT NULL,
        payer_id text NOT NULL,
        currency text,
        feature text,
        held numeric NOT NULL CHECK (held > 0),
        claim numeric NOT NULL CHECK (claim BETWEEN 0 AND held),
        status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'settled', 'released', 'expired')),
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        ended_at timestamptz,
        used numeric,
        event_id text,
        content text,
        settled_tx xid8,
        CONSTRAINT on_credit_or_a_feature CHECK (num_nonnulls(currency, feature) = 1),
        CONSTRAINT settled_by_a_transaction CHECK ((status = 'settled') = (settled_tx IS NOT NULL))
    );
    CREATE UNIQUE INDEX holds_key ON holds (environment_id, key) WHERE key IS NOT NULL;
    CREATE INDEX holds_of_customer ON holds (environment_id, customer_id, id);
    CREATE INDEX holds_open ON holds (environment_id, expires_at) WHERE status = 'open';
    CREATE INDEX holds_uncounted ON holds (environment_id, payer_id, settled_tx)
        WHERE status = 'settled' AND claim > 0;
"""
