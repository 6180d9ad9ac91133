"""Versions of plans that are one subscription's own, and what moves subscriptions from version to version."""

from alembic import op

from db.migrations.rls import READ_AND_ADD, protect, refuse_changes

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, made in (
        ("own_versions", OWN_VERSIONS),
        ("plan_migrations", PLAN_MIGRATIONS),
        ("plan_moves", PLAN_MOVES),
    ):
        op.execute(made + protect(table, READ_AND_ADD) + refuse_changes(table))


# A version that is here is no version for sale. `name` is the business name of what asked for it. It is written before
# its subscription is.
OWN_VERSIONS = """
    CREATE TABLE own_versions (
        environment_id text NOT NULL,
        plan_id text NOT NULL,
        version integer NOT NULL,
        name text NOT NULL,
        subscription_id text NOT NULL,
        based_on integer NOT NULL,
        overrides jsonb NOT NULL CHECK (jsonb_typeof(overrides) = 'object'),
        PRIMARY KEY (plan_id, version),
        UNIQUE (environment_id, name),
        FOREIGN KEY (environment_id, plan_id) REFERENCES plans (environment_id, id),
        FOREIGN KEY (plan_id, version) REFERENCES plan_versions (plan_id, version),
        FOREIGN KEY (plan_id, based_on) REFERENCES plan_versions (plan_id, version)
    );
"""

PLAN_MIGRATIONS = """
    CREATE TABLE plan_migrations (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        plan_id text NOT NULL,
        from_version integer,
        to_version integer NOT NULL,
        effective text NOT NULL CHECK (effective IN ('immediately', 'period_end')),
        actor text NOT NULL,
        reason text,
        is_whole boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, plan_id) REFERENCES plans (environment_id, id),
        FOREIGN KEY (plan_id, to_version) REFERENCES plan_versions (plan_id, version)
    );
"""

# What was asked of each subscription that a migration moves: the request says what came of it.
PLAN_MOVES = """
    CREATE TABLE plan_moves (
        environment_id text NOT NULL,
        migration_id text NOT NULL,
        subscription_id text NOT NULL,
        request_id text NOT NULL,
        PRIMARY KEY (environment_id, migration_id, subscription_id),
        FOREIGN KEY (environment_id, migration_id) REFERENCES plan_migrations (environment_id, id),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id),
        FOREIGN KEY (environment_id, request_id) REFERENCES requests (environment_id, id)
    );
    CREATE INDEX plan_moves_of_subscription ON plan_moves (environment_id, subscription_id);
"""
