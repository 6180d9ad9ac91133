"""`weir migrate`: bring the schema up to date."""

import os

from cli.running import fail
from domain.errors import BillingError


def migrate() -> None:
    """Apply the migrations that are missing, as MIGRATION_DATABASE_URL (or DATABASE_URL)."""
    from cli.settings import read_settings
    from db import migrate

    try:
        settings = read_settings(os.environ)
        before = migrate.current(settings.migration_database_url)
        migrate.upgrade(settings.migration_database_url, settings.database_url)
    except BillingError as error:
        raise fail(error) from None
    after = migrate.head()
    print(f"the schema is at {after}" if before != after else f"the schema was at {after} already")
