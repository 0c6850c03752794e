"""Alembic's entry: one connection, one transaction, both dialects."""

from alembic import context

from meetings_server.database import Database
from meetings_server.tables import metadata


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url") or ""
    database = Database(url)
    try:
        with database.engine.begin() as connection:
            context.configure(
                connection=connection,
                target_metadata=metadata,
                render_as_batch=True,
                compare_server_default=True,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        database.dispose()


run()
