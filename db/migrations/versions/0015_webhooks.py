"""Webhook endpoints, the secrets that sign what is sent to them, and each delivery with what came of it."""

from alembic import op

from db.migrations.rls import protect

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ENDPOINT_CHANGES = (
    "url, topics, description, failing_since, disabled_at, disabled_because, deleted_at"
)
DELIVERY_CHANGES = (
    "status, attempts, next_attempt_at, last_attempt_at, response_status, response_body, error,"
    " duration_ms"
)


def upgrade() -> None:
    op.execute(
        ENDPOINTS + protect("webhook_endpoints", f"SELECT, INSERT, UPDATE ({ENDPOINT_CHANGES})")
    )
    op.execute(SECRETS + protect("webhook_secrets", "SELECT, INSERT, UPDATE (valid_until), DELETE"))
    op.execute(
        DELIVERIES + protect("webhook_deliveries", f"SELECT, INSERT, UPDATE ({DELIVERY_CHANGES})")
    )
    op.execute(NOBODY_WAS_TOLD)


ENDPOINTS = """
    CREATE TABLE webhook_endpoints (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        url text NOT NULL,
        topics text[] NOT NULL CHECK (cardinality(topics) > 0),
        description text,
        created_at timestamptz NOT NULL DEFAULT now(),
        failing_since timestamptz,
        disabled_at timestamptz,
        disabled_because text CHECK (disabled_because IN ('asked', 'gone', 'failing')),
        deleted_at timestamptz,
        UNIQUE (environment_id, id),
        CONSTRAINT disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_because IS NULL))
    );
"""

# The one without an end is the endpoint's; those that it replaced sign, too, until theirs.
SECRETS = """
    CREATE TABLE webhook_secrets (
        id text PRIMARY KEY,
        environment_id text NOT NULL,
        endpoint_id text NOT NULL,
        secret text NOT NULL,
        valid_until timestamptz,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        FOREIGN KEY (environment_id, endpoint_id) REFERENCES webhook_endpoints (environment_id, id)
    );
    CREATE UNIQUE INDEX webhook_secrets_own ON webhook_secrets (environment_id, endpoint_id)
        WHERE valid_until IS NULL;
    CREATE INDEX webhook_secrets_of_endpoint ON webhook_secrets (environment_id, endpoint_id);
"""

# While an attempt is under way `next_attempt_at` is when it will have been forgotten, and is made again.
DELIVERIES = """
    CREATE TABLE webhook_deliveries (
        id text PRIMARY KEY,
        environment_id text NOT NULL,
        endpoint_id text NOT NULL,
        notification_id text NOT NULL REFERENCES outbox (id),
        status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
        attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        next_attempt_at timestamptz DEFAULT now(),
        last_attempt_at timestamptz,
        response_status integer,
        response_body text,
        error text,
        duration_ms integer,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, endpoint_id, notification_id),
        FOREIGN KEY (environment_id, endpoint_id) REFERENCES webhook_endpoints (environment_id, id),
        CONSTRAINT due_while_pending CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
    );
    CREATE INDEX webhook_deliveries_due
        ON webhook_deliveries (environment_id, endpoint_id, next_attempt_at) WHERE status = 'pending';
    CREATE INDEX webhook_deliveries_of_endpoint
        ON webhook_deliveries (environment_id, endpoint_id, id);
    CREATE INDEX webhook_deliveries_of_notification ON webhook_deliveries (notification_id);
"""

# There was nobody to tell until now. Their owner sees the rows of one environment, too, but for this statement those of all.
NOBODY_WAS_TOLD = """
    ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY;
    UPDATE outbox SET dispatched_at = now() WHERE dispatched_at IS NULL;
    ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
"""
