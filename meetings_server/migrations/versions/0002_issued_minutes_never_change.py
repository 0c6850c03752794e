"""Issued minutes never change.

What the domain refuses, the database refuses too, whoever writes: a program, a console, a mistake of
ours. A later migration that rebuilds one of these tables on SQLite has to lay its triggers again.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# name, table, what, when (of the old row; "" for always)
FROZEN = (
    ("minutes_issued_update", "minutes", "UPDATE", "OLD.state = 'issued'"),
    ("minutes_issued_delete", "minutes", "DELETE", "OLD.state = 'issued'"),
    ("minutes_version_update", "minutes_version", "UPDATE", ""),
    ("minutes_version_delete", "minutes_version", "DELETE", ""),
    (
        "task_words_update",
        "task",
        "UPDATE OF minutes_id, n, meeting_id, text, lead_unit_id, deadline",
        "",
    ),
    ("task_delete", "task", "DELETE", ""),
    ("task_coordination_update", "task_coordination", "UPDATE", ""),
    ("task_coordination_delete", "task_coordination", "DELETE", ""),
)
MESSAGE = "issued minutes never change"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _lay_on_sqlite()
    else:
        _lay_on_postgresql()


def downgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, table, _what, _when in FROZEN:
        op.execute(f"DROP TRIGGER {name}" if on_sqlite else f"DROP TRIGGER {name} ON {table}")
    if on_sqlite:
        op.execute("DROP TRIGGER minutes_issued_replace")
        return
    op.execute("DROP TRIGGER minutes_truncate ON minutes")
    op.execute("DROP FUNCTION refuse_change_of_minutes()")


def _lay_on_sqlite() -> None:
    for name, table, what, when in FROZEN:
        condition = f"WHEN {when} " if when else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW {condition}"
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )
    # INSERT OR REPLACE takes the old row away without asking the trigger for DELETE.
    op.execute(
        "CREATE TRIGGER minutes_issued_replace BEFORE INSERT ON minutes FOR EACH ROW "
        "WHEN EXISTS (SELECT 1 FROM minutes WHERE id = NEW.id AND state = 'issued') "
        "BEGIN SELECT RAISE(ABORT, 'issued minutes never change'); END"
    )


def _lay_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change_of_minutes() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END $$"
    )
    for name, table, what, when in FROZEN:
        condition = f"WHEN ({when}) " if when else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW {condition}"
            "EXECUTE FUNCTION refuse_change_of_minutes()"
        )
    op.execute(
        "CREATE TRIGGER minutes_truncate BEFORE TRUNCATE ON minutes "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_minutes()"
    )
