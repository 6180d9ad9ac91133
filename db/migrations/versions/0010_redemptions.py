"""How often coupons have been redeemed."""

from alembic import op

from db.migrations.rls import READ_AND_ADD, protect, refuse_changes

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(REDEMPTIONS)
    op.execute(OF_LIVING_SUBSCRIPTIONS)
    op.execute(protect("redemptions", READ_AND_ADD) + refuse_changes("redemptions"))


# `name` is that of the step that redeemed it: a coupon that was removed and added again is redeemed twice.
REDEMPTIONS = """
    CREATE TABLE redemptions (
        environment_id text NOT NULL,
        coupon text NOT NULL,
        subscription_id text NOT NULL,
        customer_id text NOT NULL,
        name text NOT NULL,
        redeemed_at timestamptz NOT NULL,
        PRIMARY KEY (environment_id, coupon, subscription_id, name),
        FOREIGN KEY (environment_id, coupon) REFERENCES coupons (environment_id, key),
        FOREIGN KEY (environment_id, subscription_id) REFERENCES subscriptions (environment_id, id),
        FOREIGN KEY (environment_id, customer_id) REFERENCES customers (environment_id, id)
    );
    CREATE INDEX redemptions_of_subscription ON redemptions (environment_id, subscription_id);
"""

# Their owner sees the rows of one environment, too, but for this statement those of all.
OF_LIVING_SUBSCRIPTIONS = """
    ALTER TABLE subscriptions NO FORCE ROW LEVEL SECURITY;
    INSERT INTO redemptions (environment_id, coupon, subscription_id, customer_id, name, redeemed_at)
    SELECT s.environment_id, r.redemption -> 'coupon' ->> 'key', s.id, s.customer_id, 'subscribe',
        min((r.redemption ->> 'redeemed_at')::timestamptz)
    FROM subscriptions s
    CROSS JOIN LATERAL jsonb_array_elements(s.state -> 'coupons') AS r (redemption)
    GROUP BY 1, 2, 3, 4;
    ALTER TABLE subscriptions FORCE ROW LEVEL SECURITY;
"""
