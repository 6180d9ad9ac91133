"""Payments and refunds, the collection of invoices, and what the payment provider told us."""

from alembic import op

from db.migrations.rls import READ_AND_ADD, protect, refuse_changes

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    changeable = "status, intent, failure_code, received_minor, answered_at"
    op.execute(PAYMENTS + protect("payments", f"SELECT, INSERT, UPDATE ({changeable})"))
    op.execute(KEEP_PAYMENTS)
    op.execute(COLLECTIONS + protect("collections"))
    op.execute(TOP_UPS + protect("top_ups", READ_AND_ADD) + refuse_changes("top_ups"))
    op.execute(ARRIVALS + protect("usage_arrivals"))
    op.execute(PROVIDER_EVENTS)
    op.execute(protect("provider_events", "SELECT, INSERT, UPDATE (handled_at)"))


# A row is written before the provider is asked, under the name that the provider gets as idempotency key: whatever
# happens in between, it is known what may be under way. Refunds are rows of the same kind, the other way.
PAYMENTS = """
    CREATE TABLE payments (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
        customer_id text NOT NULL,
        invoice_id text NOT NULL,
        attempt integer CHECK (attempt > 0),
        currency text NOT NULL CHECK (length(currency) = 3),
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        received_minor bigint NOT NULL DEFAULT 0 CHECK (received_minor >= 0),
        status text NOT NULL DEFAULT 'pending'
            CHECK (status IN ('pending', 'processing', 'requires_action', 'succeeded', 'failed')),
        failure_code text,
        intent text,
        credit_note text,
        at timestamptz NOT NULL,
        answered_at timestamptz,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, name),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, invoice_id) REFERENCES invoices (environment_id, id),
        CONSTRAINT attempts_are_counted CHECK ((kind = 'payment') = (attempt IS NOT NULL))
    );
    CREATE UNIQUE INDEX payments_once_an_attempt ON payments (environment_id, invoice_id, attempt)
        WHERE kind = 'payment';
    CREATE UNIQUE INDEX payments_one_success ON payments (environment_id, invoice_id)
        WHERE kind = 'payment' AND status = 'succeeded';
    CREATE INDEX payments_in_order ON payments (environment_id, seq);
    CREATE INDEX payments_of_intent ON payments (environment_id, intent) WHERE intent IS NOT NULL;
    CREATE INDEX payments_pending ON payments (environment_id, at) WHERE status = 'pending';
"""

KEEP_PAYMENTS = """
    CREATE TRIGGER keep_as_issued BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION
        keep_as_issued('status', 'intent', 'failure_code', 'received_minor', 'answered_at');
    CREATE TRIGGER refuse_deletion BEFORE DELETE ON payments
        FOR EACH ROW EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER refuse_truncation BEFORE TRUNCATE ON payments
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

COLLECTIONS = """
    CREATE TABLE collections (
        invoice_id text PRIMARY KEY,
        environment_id text NOT NULL,
        customer_id text NOT NULL,
        test_clock_id text,
        status text NOT NULL
            CHECK (status IN ('open', 'past_due', 'paid', 'uncollectible', 'void')),
        state jsonb NOT NULL CHECK (jsonb_typeof(state) = 'object'),
        next_attempt_at timestamptz,
        next_phase integer,
        seq bigint NOT NULL DEFAULT nextval('lives_seq'),
        created_at timestamptz NOT NULL DEFAULT now(),
        FOREIGN KEY (environment_id, invoice_id) REFERENCES invoices (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, test_clock_id) REFERENCES test_clocks (environment_id, id),
        CONSTRAINT due_at_a_phase CHECK ((next_attempt_at IS NULL) = (next_phase IS NULL))
    );
    CREATE INDEX collections_of_customer ON collections (environment_id, customer_id, seq);
    CREATE INDEX collections_on_clock ON collections (environment_id, test_clock_id, next_attempt_at)
        WHERE test_clock_id IS NOT NULL AND next_attempt_at IS NOT NULL;
"""

# What a customer asked to buy: granted, under an id that is known before, when the invoice is paid.
TOP_UPS = """
    CREATE TABLE top_ups (
        environment_id text NOT NULL,
        request_id text NOT NULL,
        invoice_id text NOT NULL,
        grant_id text NOT NULL,
        wanted jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (environment_id, request_id),
        UNIQUE (environment_id, invoice_id),
        FOREIGN KEY (environment_id, invoice_id) REFERENCES invoices (environment_id, id)
    );
"""

# Up to where the usage log has been looked through for usage that is charged as it arrives: in real time (clock ''),
# and on each test clock.
ARRIVALS = """
    CREATE TABLE usage_arrivals (
        environment_id text NOT NULL REFERENCES environments (id),
        clock text NOT NULL,
        watermark xid8 NOT NULL,
        PRIMARY KEY (environment_id, clock)
    );
"""

# Kept once by the provider's id of the event, acknowledged, and only then told to the collection it concerns.
PROVIDER_EVENTS = """
    CREATE TABLE provider_events (
        environment_id text NOT NULL REFERENCES environments (id),
        id text NOT NULL,
        type text NOT NULL,
        object_id text,
        intent text,
        metadata jsonb NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(),
        handled_at timestamptz,
        PRIMARY KEY (environment_id, id)
    );
    CREATE INDEX provider_events_waiting ON provider_events (environment_id, received_at)
        WHERE handled_at IS NULL;
"""
