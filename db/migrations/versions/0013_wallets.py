"""Wallets: what customers have right now, and what runs up of the usage that no invoice has billed."""

from alembic import op

from db.migrations.rls import protect

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("credit_grants", "subscriptions", "wallets", "running_usage")


def upgrade() -> None:
    op.execute(RUNNING + protect("running_usage"))
    op.execute(WALLETS + protect("wallets"))
    op.execute(EXISTING)


# One row a subscription, whose `customer_id` is the one who pays. `marked` counts what may have changed the amount, `rated`
# is the mark that the last rating answered; `lived` counts steps of the life: an amount rated before one is wrong after it.
RUNNING = """
    CREATE TABLE running_usage (
        subscription_id text PRIMARY KEY,
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        currency text NOT NULL,
        amount_minor bigint NOT NULL DEFAULT 0 CHECK (amount_minor >= 0),
        marked bigint NOT NULL DEFAULT 1,
        rated bigint NOT NULL DEFAULT 0,
        lived bigint NOT NULL DEFAULT 0,
        rated_at timestamptz
    );
    CREATE INDEX running_usage_of_customer ON running_usage (environment_id, customer_id, currency);
    CREATE INDEX running_usage_waiting ON running_usage (environment_id, customer_id, currency) WHERE marked > rated;
"""

# `posted_minor` is what live grants are worth until time alone changes it, at `posted_until`. `reserved` is what holds claim:
# those that are open, and those settled by an event of a transaction not before `watermark`, up to which `running_minor`
# is known. `changed` counts changes, `watched` is the count that alerts and the like have last looked at.
WALLETS = """
    CREATE TABLE wallets (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        currency text NOT NULL CHECK (length(currency) = 3),
        posted_minor bigint NOT NULL DEFAULT 0,
        posted_until timestamptz,
        running_minor bigint NOT NULL DEFAULT 0,
        reserved numeric NOT NULL DEFAULT 0 CHECK (reserved >= 0),
        overdraft_minor bigint NOT NULL DEFAULT 0 CHECK (overdraft_minor >= 0),
        watermark xid8 NOT NULL DEFAULT '0',
        changed bigint NOT NULL DEFAULT 1,
        watched bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (environment_id, customer_id, currency),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id)
    );
    CREATE INDEX wallets_changing ON wallets (environment_id, posted_until) WHERE posted_until IS NOT NULL;
    CREATE INDEX wallets_unwatched ON wallets (environment_id) WHERE changed > watched;
"""

# A wallet that time is to change at once is looked at again by whoever follows the usage log. The owner of these tables
# sees the rows of one environment, too, but for these statements those of all.
EXISTING = f"""
    {"".join(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;" for table in TABLES)}
    INSERT INTO wallets (environment_id, customer_id, currency, posted_until)
    SELECT DISTINCT environment_id, customer_id, currency, timestamptz '-infinity' FROM credit_grants;
    INSERT INTO running_usage (subscription_id, environment_id, customer_id, currency)
    SELECT id, environment_id, coalesce(state ->> 'payer', customer_id), state ->> 'currency'
    FROM subscriptions WHERE status <> 'cancelled' AND state ? 'currency';
    {"".join(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;" for table in TABLES)}
"""
