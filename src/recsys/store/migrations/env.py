"""What Alembic runs to upgrade: on the connection, and within the transaction, that it is handed."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
