"""Run revisions on the connection that `storage.migrate` passes in; there is no offline mode and no ini file."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="outbound")
with context.begin_transaction():
    context.run_migrations()
