"""Who watches wallets: alerts with what they have told, and automatic top-ups with what they have bought."""

from alembic import op

from db.migrations.rls import protect

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(LOOKS + protect("wallet_looks"))
    op.execute(ALERTS + protect("alerts"))
    op.execute(STANDINGS + protect("alert_standings"))
    op.execute(CROSSINGS + protect("alert_events"))
    op.execute(AUTOMATIC_TOP_UPS + protect("automatic_top_ups"))
    op.execute(ATTEMPTS + protect("automatic_top_up_attempts"))


# When to look at a wallet again although nothing in it has changed, since time alone changes what those who watch it find.
LOOKS = """
    CREATE TABLE wallet_looks (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        currency text NOT NULL,
        look_at timestamptz NOT NULL,
        PRIMARY KEY (environment_id, customer_id, currency),
        FOREIGN KEY (environment_id, customer_id, currency)
            REFERENCES wallets (environment_id, customer_id, currency)
    );
    CREATE INDEX wallet_looks_due ON wallet_looks (environment_id, look_at);
"""

# `document` is the alert as it was given, `customer_id` the one it names, if any. Transactions before `open_after` may not
# have seen it: once they have ended, every wallet that it concerns is opened to it, and later ones open themselves.
ALERTS = """
    CREATE TABLE alerts (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL,
        customer_id text,
        currency text,
        document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
        open_after xid8,
        is_open boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, key),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id)
    );
    CREATE INDEX alerts_of_customer ON alerts (environment_id, customer_id);
    CREATE INDEX alerts_to_open ON alerts (environment_id) WHERE NOT is_open;
"""

STANDINGS = """
    CREATE TABLE alert_standings (
        environment_id text NOT NULL,
        alert_id text NOT NULL,
        customer_id text NOT NULL,
        threshold text NOT NULL,
        period timestamptz,
        reached boolean NOT NULL,
        crossings bigint NOT NULL,
        PRIMARY KEY (environment_id, alert_id, customer_id, threshold),
        FOREIGN KEY (environment_id, alert_id) REFERENCES alerts (environment_id, id) ON DELETE CASCADE
    );
"""

CROSSINGS = """
    CREATE TABLE alert_events (
        id text PRIMARY KEY,
        environment_id text NOT NULL,
        alert_id text NOT NULL,
        customer_id text NOT NULL,
        threshold text NOT NULL,
        status text NOT NULL CHECK (status IN ('triggered', 'recovered')),
        period timestamptz,
        crossing bigint NOT NULL,
        value text NOT NULL,
        at timestamptz NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        UNIQUE NULLS NOT DISTINCT (environment_id, alert_id, customer_id, threshold, period, crossing, status),
        FOREIGN KEY (environment_id, alert_id) REFERENCES alerts (environment_id, id) ON DELETE CASCADE
    );
    CREATE INDEX alert_events_in_order ON alert_events (environment_id, alert_id, seq);
"""

AUTOMATIC_TOP_UPS = """
    CREATE TABLE automatic_top_ups (
        id text PRIMARY KEY,
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        currency text NOT NULL,
        threshold_minor bigint NOT NULL CHECK (threshold_minor >= 0),
        target_minor bigint CHECK (target_minor > threshold_minor),
        amount_minor bigint CHECK (amount_minor > 0),
        monthly_cap_minor bigint CHECK (monthly_cap_minor > 0),
        cool_down_seconds bigint NOT NULL CHECK (cool_down_seconds > 0),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, customer_id, currency),
        FOREIGN KEY (environment_id, customer_id, currency)
            REFERENCES wallets (environment_id, customer_id, currency),
        CONSTRAINT one_of_both CHECK ((target_minor IS NULL) <> (amount_minor IS NULL))
    );
"""

# They outlive the rule that made them: who takes a rule away and makes another buys no more often for it.
ATTEMPTS = """
    CREATE TABLE automatic_top_up_attempts (
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        number bigint NOT NULL CHECK (number > 0),
        request_id text NOT NULL,
        currency text NOT NULL,
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        at timestamptz NOT NULL,
        status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'paid', 'declined')),
        failure_code text,
        ended_at timestamptz,
        PRIMARY KEY (environment_id, customer_id, number),
        FOREIGN KEY (environment_id, request_id) REFERENCES requests (environment_id, id),
        CONSTRAINT ended CHECK ((status = 'pending') = (ended_at IS NULL))
    );
    CREATE UNIQUE INDEX one_automatic_top_up_at_once
        ON automatic_top_up_attempts (environment_id, customer_id, currency) WHERE status = 'pending';
"""
