"""How Alembic runs our migrations: on the connection that db.migrate hands over, or as SQL on paper."""

from alembic import context

# A migration that cannot get its lock gives up before the queue behind it stops the application.
TIMEOUTS = "SET lock_timeout = '10s'; SET statement_timeout = '15min'"

connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(
        dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"}
    )
else:
    connection.exec_driver_sql(TIMEOUTS)
    connection.commit()  # first: within a transaction of ours Alembic would not commit its own
    context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    if connection is None:
        context.execute(TIMEOUTS)
    context.run_migrations()
