"""Lines of usage that is invoiced on account, and lines that credit an invoice."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE invoice_lines ADD COLUMN credits_invoice text;
    -- squawk-ignore ban-drop-constraint
    ALTER TABLE invoice_lines DROP CONSTRAINT invoice_lines_charged_check;
    ALTER TABLE invoice_lines ADD CONSTRAINT invoice_lines_charged_check CHECK (
        charged IN ('in_advance', 'in_arrears', 'on_account')
    ) NOT VALID;
    """)
