"""Runs Alembic's steps on the connection that `telephony.store.upgrade` hands over."""

from alembic import context

from telephony.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
