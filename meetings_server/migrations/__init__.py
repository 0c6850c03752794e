"""Numbered, linear migrations, and the two things a program asks of them."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from meetings_server.database import Database


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    # Alembic reads its options like a format string.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str, target: str = "head") -> None:
    """Bring the database at a URL to a revision, the newest by default."""
    command.upgrade(_config(url), target)


def downgrade(url: str, target: str) -> None:
    command.downgrade(_config(url), target)


def check(url: str) -> None:
    """Raises where the tables of the code and of the database differ."""
    command.check(_config(url))


def newest() -> str | None:
    return ScriptDirectory.from_config(_config("sqlite://")).get_current_head()


def known() -> set[str]:
    """All revisions that this program can bring a database to."""
    return {
        step.revision for step in ScriptDirectory.from_config(_config("sqlite://")).walk_revisions()
    }


def current(database: Database) -> str | None:
    """The revision a database stands at; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
