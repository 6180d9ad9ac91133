"""Subscriptions and what they were asked; invoices, credit notes, grants and the ledger; what was billed of usage."""

from alembic import op

from db.migrations.rls import APP, READ_AND_ADD, protect, refuse_changes

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(KEEP_AS_ISSUED)
    op.execute(SUBSCRIPTIONS + protect("subscriptions"))
    op.execute(REQUESTS + protect("requests", may_update("status, answer, sent_at")))
    op.execute(TIMELINE + protect("timeline", READ_AND_ADD) + refuse_changes("timeline"))
    op.execute(COUNTERS + protect("counters"))
    op.execute(INVOICES + protect("invoices", may_update(", ".join(SETTLED))))
    op.execute(keep_as_issued("invoices", SETTLED))
    op.execute(LINES + protect("invoice_lines", READ_AND_ADD) + refuse_changes("invoice_lines"))
    op.execute(
        CREDIT_NOTES + protect("credit_notes", may_update("refunded_minor, remaining_minor"))
    )
    op.execute(keep_as_issued("credit_notes", ("refunded_minor", "remaining_minor")))
    op.execute(GRANTS + protect("credit_grants", may_update("ended_at")))
    op.execute(keep_as_issued("credit_grants", ("ended_at",)))
    op.execute(LEDGER)
    for table in ("ledger_transactions", "ledger_postings"):
        op.execute(protect(table, READ_AND_ADD) + refuse_changes(table))
    op.execute(BALANCED)
    op.execute(BILLED_USAGE + protect("billed_usage"))
    op.execute(OUTBOX + protect("outbox"))


def may_update(columns: str) -> str:
    return f"SELECT, INSERT, UPDATE ({columns})"


def keep_as_issued(table: str, changeable: tuple[str, ...]) -> str:
    """Rows of `table` stay as they were issued but for the columns that say what became of them."""
    columns = ", ".join(f"'{column}'" for column in changeable)
    return f"""
        CREATE TRIGGER keep_as_issued BEFORE UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION keep_as_issued({columns});
        CREATE TRIGGER refuse_deletion BEFORE DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER refuse_truncation BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    """


SETTLED = ("status", "amount_paid_minor", "paid_at")

KEEP_AS_ISSUED = """
    CREATE FUNCTION keep_as_issued() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
            RAISE EXCEPTION '% stays as it was issued', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END
    $$;
"""

# `state` is the whole of a subscription, from which its workflow can be started anew; the other columns are what
# is searched for. `next_due_at` and `next_phase` are when its life goes on: a test clock goes by them.
SUBSCRIPTIONS = f"""
    CREATE SEQUENCE lives_seq AS bigint;
    GRANT USAGE ON SEQUENCE lives_seq TO {APP};
    CREATE TABLE subscriptions (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
        customer_id text NOT NULL,
        test_clock_id text,
        plan_key text NOT NULL,
        plan_version integer NOT NULL,
        status text NOT NULL
            CHECK (status IN ('scheduled', 'trialing', 'active', 'paused', 'cancelled')),
        state jsonb NOT NULL CHECK (jsonb_typeof(state) = 'object'),
        next_due_at timestamptz,
        next_phase integer,
        seq bigint NOT NULL DEFAULT nextval('lives_seq'),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, key),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, test_clock_id) REFERENCES test_clocks (environment_id, id),
        CONSTRAINT due_at_a_phase CHECK ((next_due_at IS NULL) = (next_phase IS NULL))
    );
    CREATE INDEX subscriptions_of_customer ON subscriptions (environment_id, customer_id);
    CREATE INDEX subscriptions_on_clock ON subscriptions (environment_id, test_clock_id, next_due_at)
        WHERE test_clock_id IS NOT NULL AND next_due_at IS NOT NULL;
"""

# What was asked for is written down before any workflow hears of it, so that it can be sent again.
REQUESTS = """
    CREATE TABLE requests (
        environment_id text NOT NULL REFERENCES environments (id),
        id text NOT NULL CHECK (length(id) BETWEEN 1 AND 255),
        kind text NOT NULL CHECK (kind IN ('subscribe', 'command', 'grant', 'top_up', 'pay')),
        customer_id text NOT NULL,
        subscription_id text,
        body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object'),
        actor text NOT NULL,
        reason text,
        status text NOT NULL DEFAULT 'asked' CHECK (status IN ('asked', 'done', 'refused')),
        answer jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        sent_at timestamptz,
        PRIMARY KEY (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        CONSTRAINT answered CHECK (status = 'asked' OR answer IS NOT NULL)
    );
    CREATE INDEX requests_unanswered ON requests (environment_id, created_at) WHERE status = 'asked';
"""

# What happened to a subscription, in order. `name` is the business name of the step: a step that is repeated finds
# what it brought the first time in `brought`.
TIMELINE = """
    CREATE TABLE timeline (
        environment_id text NOT NULL,
        subscription_id text NOT NULL,
        name text NOT NULL,
        what text NOT NULL,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        reason text,
        body jsonb NOT NULL,
        brought jsonb NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (environment_id, subscription_id, name),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id)
    );
    CREATE INDEX timeline_in_order ON timeline (environment_id, subscription_id, seq);
"""

# Numbers without a gap: a counter moves in the transaction that uses its number, or not at all.
COUNTERS = """
    CREATE TABLE counters (
        environment_id text NOT NULL REFERENCES environments (id),
        name text NOT NULL,
        last bigint NOT NULL CHECK (last > 0),
        PRIMARY KEY (environment_id, name)
    );
"""

INVOICES = """
    CREATE TABLE invoices (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        name text NOT NULL,
        number text NOT NULL,
        customer_id text NOT NULL,
        subscription_id text,
        currency text NOT NULL CHECK (length(currency) = 3),
        issued_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        status text NOT NULL
            CHECK (status IN ('draft', 'open', 'paid', 'past_due', 'uncollectible', 'void')),
        subtotal_minor bigint NOT NULL,
        discount_minor bigint NOT NULL,
        promotional_minor bigint NOT NULL,
        tax_minor bigint NOT NULL,
        total_minor bigint NOT NULL,
        credit_notes_minor bigint NOT NULL,
        prepaid_minor bigint NOT NULL,
        amount_due_minor bigint NOT NULL CHECK (amount_due_minor >= 0),
        amount_paid_minor bigint NOT NULL DEFAULT 0 CHECK (amount_paid_minor >= 0),
        paid_at timestamptz,
        taxes jsonb NOT NULL,
        discounts jsonb NOT NULL,
        credits jsonb NOT NULL,
        cut_off xid8,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, name),
        UNIQUE (environment_id, number),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id)
    );
    CREATE INDEX invoices_in_order ON invoices (environment_id, seq);
    CREATE INDEX invoices_of_customer ON invoices (environment_id, customer_id, seq);
    CREATE INDEX invoices_of_subscription ON invoices (environment_id, subscription_id, seq);
"""

# A quantity and an exact amount are fractions, numerator/denominator: a third has no last digit.
LINES = """
    CREATE TABLE invoice_lines (
        environment_id text NOT NULL,
        invoice_id text NOT NULL,
        position integer NOT NULL CHECK (position >= 0),
        kind text NOT NULL CHECK (kind IN
            ('recurring', 'usage', 'proration', 'commitment', 'late_usage', 'one_off', 'top_up')),
        item text,
        description text NOT NULL,
        quantity text NOT NULL CHECK (quantity ~ '^-?[0-9]+/[0-9]+$'),
        exact_amount text NOT NULL CHECK (exact_amount ~ '^-?[0-9]+/[0-9]+$'),
        amount_minor bigint NOT NULL,
        discount_minor bigint NOT NULL,
        credits_minor bigint NOT NULL,
        tax_minor bigint NOT NULL,
        inclusive_tax_minor bigint NOT NULL,
        period_start timestamptz,
        period_end timestamptz,
        charged text NOT NULL CHECK (charged IN ('in_advance', 'in_arrears')),
        plan_key text,
        plan_version integer,
        PRIMARY KEY (environment_id, invoice_id, position),
        FOREIGN KEY (environment_id, invoice_id) REFERENCES invoices (environment_id, id),
        CONSTRAINT a_whole_period CHECK ((period_start IS NULL) = (period_end IS NULL)),
        CONSTRAINT a_whole_plan CHECK ((plan_key IS NULL) = (plan_version IS NULL))
    );
"""

CREDIT_NOTES = """
    CREATE TABLE credit_notes (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        name text NOT NULL,
        number text NOT NULL,
        customer_id text NOT NULL,
        subscription_id text,
        currency text NOT NULL CHECK (length(currency) = 3),
        issued_at timestamptz NOT NULL,
        reason text NOT NULL,
        lines jsonb NOT NULL,
        subtotal_minor bigint NOT NULL,
        tax_minor bigint NOT NULL,
        total_minor bigint NOT NULL,
        refunded_minor bigint NOT NULL CHECK (refunded_minor >= 0),
        remaining_minor bigint NOT NULL CHECK (remaining_minor >= 0),
        seq bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, name),
        UNIQUE (environment_id, number),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id),
        CONSTRAINT never_more_than_owed CHECK (refunded_minor + remaining_minor <= total_minor)
    );
    CREATE INDEX credit_notes_left ON credit_notes (environment_id, customer_id, seq)
        WHERE remaining_minor > 0;
    CREATE INDEX credit_notes_in_order ON credit_notes (environment_id, seq);
"""

# `subscription_id` is set where a plan granted it: its subscription watches over its end as long as that lives.
# `ended_at` is when nothing was left to watch over: expired or voided.
GRANTS = """
    CREATE TABLE credit_grants (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        key text NOT NULL,
        customer_id text NOT NULL,
        subscription_id text,
        kind text NOT NULL CHECK (kind IN ('prepaid', 'promotional')),
        currency text NOT NULL CHECK (length(currency) = 3),
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        priority integer NOT NULL,
        granted_at timestamptz NOT NULL,
        effective_at timestamptz NOT NULL,
        expires_at timestamptz,
        items text[] NOT NULL,
        ended_at timestamptz,
        seq bigint NOT NULL DEFAULT nextval('lives_seq'),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id)
    );
    CREATE UNIQUE INDEX credit_grants_named_by_user ON credit_grants (environment_id, key)
        WHERE subscription_id IS NULL;
    CREATE INDEX credit_grants_of_customer ON credit_grants (environment_id, customer_id, seq);
    CREATE INDEX credit_grants_that_end ON credit_grants (environment_id, expires_at)
        WHERE ended_at IS NULL AND expires_at IS NOT NULL;
"""

LEDGER = """
    CREATE TABLE ledger_transactions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        name text NOT NULL,
        movement text NOT NULL,
        at timestamptz NOT NULL,
        customer_id text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (environment_id, name),
        UNIQUE (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id)
    );
    CREATE INDEX ledger_transactions_of_customer ON ledger_transactions (environment_id, customer_id, id);
    CREATE TABLE ledger_postings (
        environment_id text NOT NULL,
        transaction_id bigint NOT NULL,
        position integer NOT NULL,
        account text NOT NULL,
        amount_minor bigint NOT NULL,
        currency text NOT NULL CHECK (length(currency) = 3),
        PRIMARY KEY (environment_id, transaction_id, position),
        FOREIGN KEY (environment_id, transaction_id) REFERENCES ledger_transactions (environment_id, id)
    );
    CREATE INDEX ledger_postings_of_account ON ledger_postings (environment_id, account);
"""

# Checked when the transaction commits, once all of its postings are there.
BALANCED = """
    CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        posted record;
    BEGIN
        SELECT count(*) AS postings, count(DISTINCT currency) AS currencies, sum(amount_minor) AS sum
            INTO posted FROM ledger_postings
            WHERE environment_id = NEW.environment_id AND transaction_id = NEW.id;
        IF posted.postings < 2 OR posted.currencies <> 1 OR posted.sum <> 0 THEN
            RAISE EXCEPTION 'ledger transaction % does not sum to zero in one currency', NEW.name
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END
    $$;
    CREATE FUNCTION require_balance_of_posting() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT sum(amount_minor) <> 0 OR count(DISTINCT currency) <> 1 FROM ledger_postings
            WHERE environment_id = NEW.environment_id AND transaction_id = NEW.transaction_id)
        THEN
            RAISE EXCEPTION 'ledger transaction % does not sum to zero in one currency', NEW.transaction_id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END
    $$;
    CREATE CONSTRAINT TRIGGER require_balance AFTER INSERT ON ledger_transactions
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_balance();
    CREATE CONSTRAINT TRIGGER require_balance AFTER INSERT ON ledger_postings
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_balance_of_posting();
"""

# What has been billed of an item in a closed window, and up to which horizon of the usage log (`cut_off`): what
# came in after it is late usage.
BILLED_USAGE = """
    CREATE TABLE billed_usage (
        environment_id text NOT NULL,
        subscription_id text NOT NULL,
        item text NOT NULL,
        window_start timestamptz NOT NULL,
        window_end timestamptz NOT NULL,
        plan_key text NOT NULL,
        plan_version integer NOT NULL,
        without jsonb NOT NULL,
        quantity text NOT NULL CHECK (quantity ~ '^-?[0-9]+/[0-9]+$'),
        exact_amount text NOT NULL CHECK (exact_amount ~ '^-?[0-9]+/[0-9]+$'),
        cut_off xid8 NOT NULL,
        PRIMARY KEY (environment_id, subscription_id, item, window_start, window_end),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id)
    );
"""

# What others are told of, written in the transaction that made it true.
OUTBOX = """
    CREATE TABLE outbox (
        id text PRIMARY KEY,
        environment_id text NOT NULL REFERENCES environments (id),
        topic text NOT NULL,
        subject text NOT NULL,
        body jsonb NOT NULL,
        at timestamptz NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT now(),
        dispatched_at timestamptz
    );
    CREATE INDEX outbox_waiting ON outbox (environment_id, seq) WHERE dispatched_at IS NULL;
"""
