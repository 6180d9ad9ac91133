"""What each customer may use of each feature, kept as an answer to checks; overrides for one customer; and who has news."""

from alembic import op

from db.migrations.rls import protect

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(ALLOWANCES + protect("allowances"))
    op.execute(OVERRIDES + protect("customer_entitlements"))
    op.execute(NEWS + protect("usage_news", "SELECT, INSERT, DELETE"))
    op.execute(TELL_NEWS)


# The answer to all checks of a feature, but for their quantity, as it is up to `watermark` of the usage log and until
# `valid_until`. `counted` are the customers whose events it measures. Who finds it stale, or news of one of them behind
# the watermark, computes it again; and keeps that only if the generation is still what it was before. What holds have
# `reserved` is theirs: no computation touches it. `announced` is the answer that was last told to others.
ALLOWANCES = """
    CREATE TABLE allowances (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        feature text NOT NULL,
        stale boolean NOT NULL DEFAULT true,
        generation bigint NOT NULL DEFAULT 0,
        watermark xid8 NOT NULL DEFAULT '0',
        counted text[] NOT NULL DEFAULT '{}',
        type text,
        value jsonb,
        hard_limit numeric,
        soft_limit numeric,
        on_limit text NOT NULL DEFAULT 'block' CHECK (on_limit IN ('block', 'notify', 'allow')),
        used numeric,
        reserved numeric NOT NULL DEFAULT 0,
        reason text,
        resets_at timestamptz,
        valid_until timestamptz,
        announced jsonb,
        PRIMARY KEY (environment_id, customer_id, feature),
        CONSTRAINT known_customer FOREIGN KEY (environment_id, customer_id)
            REFERENCES customers (environment_id, id),
        CONSTRAINT reserves_nothing_below_zero CHECK (reserved >= 0)
    ) WITH (fillfactor = 70);
    CREATE INDEX allowances_stale ON allowances (environment_id, customer_id) WHERE stale;
    CREATE INDEX allowances_ending ON allowances (environment_id, valid_until)
        WHERE valid_until IS NOT NULL;
"""

OVERRIDES = """
    CREATE TABLE customer_entitlements (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        feature text NOT NULL,
        document jsonb NOT NULL,
        reason text NOT NULL,
        given_by text NOT NULL,
        since timestamptz NOT NULL,
        expires_at timestamptz,
        PRIMARY KEY (environment_id, customer_id, feature),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, feature) REFERENCES features (environment_id, key)
    );
"""

# Which transactions brought events of a customer: one row each, found in one probe however many months the log has, and
# taken away once all that is kept of that customer is behind it or marked stale.
NEWS = """
    CREATE TABLE usage_news (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        tx xid8 NOT NULL,
        PRIMARY KEY (environment_id, customer_id, tx)
    );
"""

# Told by the log itself, so that nobody who adds to it can forget to.
TELL_NEWS = """
    CREATE FUNCTION tell_usage_news() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
    BEGIN
        INSERT INTO usage_news (environment_id, customer_id, tx)
            SELECT DISTINCT environment_id, customer_id, tx FROM added
            ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER tell_news AFTER INSERT ON usage_events
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION tell_usage_news();
"""
