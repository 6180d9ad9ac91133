"""Which environments have something to tell is found in one call, however many there are."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(WITH_SOMETHING_TO_TELL)


# Called by the registry. It enters one environment after the other, as its caller could: each look is bound to one of them,
# and nothing is told of it but that there is something.
WITH_SOMETHING_TO_TELL = """
    CREATE FUNCTION environments_with_something_to_tell() RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE
        known text[] := ARRAY(SELECT id FROM environments ORDER BY id);
        own text;
    BEGIN
        FOREACH own IN ARRAY known LOOP
            PERFORM set_config('weir.environment', own, true);
            IF EXISTS (SELECT FROM outbox WHERE environment_id = own AND dispatched_at IS NULL)
                OR EXISTS (
                    SELECT FROM webhook_endpoints e
                    WHERE e.environment_id = own AND e.disabled_at IS NULL AND e.deleted_at IS NULL
                    AND EXISTS (
                        SELECT FROM webhook_deliveries d
                        WHERE d.environment_id = own AND d.endpoint_id = e.id
                        AND d.status = 'pending' AND d.next_attempt_at <= now()))
            THEN
                RETURN NEXT own;
            END IF;
        END LOOP;
        PERFORM set_config('weir.environment', '*', true);
    END
    $$;
"""
