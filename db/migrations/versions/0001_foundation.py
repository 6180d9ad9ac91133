"""Tenants, their environments and keys; customers, test clocks and the catalogue."""

from alembic import op

from db.migrations.rls import APP, CURRENT, READ_AND_ADD, protect, refuse_changes

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENTS = ("meters", "features", "coupons", "tax_rates")


def upgrade() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP}; GRANT SELECT ON alembic_version TO {APP}")
    op.execute(REFUSE_CHANGE)
    op.execute(TENANTS)
    op.execute(TENANT_POLICIES)
    op.execute(IDEMPOTENCY_KEYS + protect("idempotency_keys"))
    op.execute(TEST_CLOCKS + protect("test_clocks"))
    op.execute(CUSTOMERS + protect("customers"))
    for table in DOCUMENTS:
        op.execute(documents(table) + protect(table))
    op.execute("ALTER TABLE meters ADD COLUMN rolled_up_to xid8 NOT NULL DEFAULT '0'")
    op.execute(PLANS + protect("plans"))
    op.execute(PLAN_VERSIONS + protect("plan_versions", READ_AND_ADD))
    op.execute(refuse_changes("plan_versions"))


def documents(table: str) -> str:
    """A noun of the catalogue that is one JSON document under a key."""
    return f"""
        CREATE TABLE {table} (
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


REFUSE_CHANGE = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is a record of facts: % is refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END
    $$
"""

TENANTS = """
    CREATE TABLE tenants (
        id text PRIMARY KEY,
        key text NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 200),
        name text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE environments (
        id text PRIMARY KEY CHECK (id LIKE 'env_%'),
        tenant_id text NOT NULL REFERENCES tenants (id),
        mode text NOT NULL CHECK (mode IN ('live', 'test')),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (tenant_id, mode),
        UNIQUE (id, mode)
    );
    CREATE TABLE api_keys (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        name text NOT NULL,
        hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
        scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
        created_at timestamptz NOT NULL DEFAULT now(),
        revoked_at timestamptz
    );
    CREATE INDEX ON api_keys (environment_id);
"""

# The registry ('*') finds the environment of a key and adds tenants; it changes and takes away nothing.
TENANT_POLICIES = f"""
    ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
    ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
    CREATE POLICY seen_by_own_environment ON tenants FOR SELECT
        USING ({CURRENT} = '*' OR id IN (SELECT tenant_id FROM environments WHERE id = {CURRENT}));
    CREATE POLICY added_by_registry ON tenants FOR INSERT WITH CHECK ({CURRENT} = '*');
    GRANT SELECT, INSERT ON tenants TO {APP};

    ALTER TABLE environments ENABLE ROW LEVEL SECURITY;
    ALTER TABLE environments FORCE ROW LEVEL SECURITY;
    CREATE POLICY seen_by_itself ON environments FOR SELECT USING ({CURRENT} IN ('*', id));
    CREATE POLICY added_by_registry ON environments FOR INSERT WITH CHECK ({CURRENT} = '*');
    GRANT SELECT, INSERT ON environments TO {APP};

    {protect("api_keys", "SELECT, INSERT, UPDATE (name, scopes, revoked_at)")}
    CREATE POLICY seen_by_registry ON api_keys FOR SELECT USING ({CURRENT} = '*');
"""

IDEMPOTENCY_KEYS = """
    CREATE TABLE idempotency_keys (
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
        fingerprint bytea NOT NULL,
        status integer CHECK (status BETWEEN 100 AND 599),
        content_type text,
        body bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (environment_id, key),
        CONSTRAINT answered_whole CHECK ((status IS NULL) = (body IS NULL))
    );
    CREATE INDEX ON idempotency_keys (created_at);
"""

# A test clock can only stand in a test environment: its mode is part of what it refers to.
TEST_CLOCKS = """
    CREATE TABLE test_clocks (
        id text PRIMARY KEY,
        environment_id text NOT NULL,
        environment_mode text NOT NULL DEFAULT 'test'
            CONSTRAINT only_in_test_environments CHECK (environment_mode = 'test'),
        name text NOT NULL DEFAULT '',
        now timestamptz NOT NULL,
        phase integer NOT NULL DEFAULT 0 CHECK (phase >= 0),
        status text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'advancing')),
        advancing_to timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        FOREIGN KEY (environment_id, environment_mode) REFERENCES environments (id, mode),
        CONSTRAINT only_forward CHECK (advancing_to >= now),
        CONSTRAINT advancing_to_an_instant CHECK ((status = 'advancing') = (advancing_to IS NOT NULL)),
        UNIQUE (environment_id, id)
    );
"""

CUSTOMERS = """
    CREATE TABLE customers (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
        name text,
        email text,
        timezone text NOT NULL DEFAULT 'UTC',
        tax_rates text[] NOT NULL DEFAULT '{}',
        test_clock_id text,
        provider_customer text,
        payment_method text,
        metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, key),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, test_clock_id) REFERENCES test_clocks (environment_id, id)
    );
    CREATE INDEX ON customers (environment_id, test_clock_id) WHERE test_clock_id IS NOT NULL;
    CREATE INDEX ON customers (provider_customer) WHERE provider_customer IS NOT NULL;
"""

PLANS = """
    CREATE TABLE plans (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
        created_at timestamptz NOT NULL DEFAULT now(),
        archived_at timestamptz,
        UNIQUE (environment_id, key),
        UNIQUE (environment_id, id)
    );
"""

PLAN_VERSIONS = """
    CREATE TABLE plan_versions (
        plan_id text NOT NULL,
        environment_id text NOT NULL,
        version integer NOT NULL CHECK (version > 0),
        document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (plan_id, version),
        FOREIGN KEY (environment_id, plan_id) REFERENCES plans (environment_id, id)
    );
"""
