"""The SQL that binds a table to its environment, and the SQL that keeps a document as it was issued."""

APP = "weir_app"
EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
READ_AND_ADD = "SELECT, INSERT"

# Without a setting this is an error, and with an empty one there is no such environment: it fails closed.
CURRENT = "current_setting('weir.environment')"


def protect(table: str, may: str = EVERYTHING) -> str:
    """Rows of `table` are seen and written by their own environment alone, owner included; the application may do
    `may`. The table needs a column `environment_id`. Partitions need this too: each can be named directly.
    """
    return f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY own_environment ON {table}
            USING (environment_id = {CURRENT}) WITH CHECK (environment_id = {CURRENT});
        GRANT {may} ON {table} TO {APP};
    """


def refuse_changes(table: str) -> str:
    """Rows of `table` are facts: added, and then never changed or taken away, by anyone."""
    return f"""
        CREATE TRIGGER refuse_changes BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER refuse_truncation BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    """
