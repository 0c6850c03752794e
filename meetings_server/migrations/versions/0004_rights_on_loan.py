"""Substitutes, secretaries who act on behalf of an official, and records that name both."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# table, column: who it was done for
ON_BEHALF = (
    ("login_session", "acting_for_id"),
    ("meeting_change", "on_behalf_of_id"),
    ("participation", "replied_on_behalf_of_id"),
    ("earlier_reply", "replied_on_behalf_of_id"),
    ("minutes_version", "on_behalf_of_id"),
    ("circulation", "on_behalf_of_id"),
    ("receipt", "acknowledged_on_behalf_of_id"),
    ("task_note", "on_behalf_of_id"),
)


def upgrade() -> None:
    _add_loan("substitution", "absent_id", "substitute_id")
    _add_kinds("substituted_role", "substitution", "role")
    _add_loan("entrustment", "official_id", "secretary_id")
    _add_kinds("entrusted_act", "entrustment", "act")
    for table, column in ON_BEHALF:
        # In words, because a batch would rebuild the table on SQLite, without its triggers.
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER "
            f"CONSTRAINT fk_{table}_{column}_person REFERENCES person (id)"
        )


def _add_loan(table: str, lender: str, borrower: str) -> None:
    people = (lender, borrower, "made_by", "ended_by")
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(lender, sa.Integer(), nullable=False),
        sa.Column(borrower, sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_by", sa.Integer(), nullable=True),
        *(
            sa.ForeignKeyConstraint([column], ["person.id"], name=f"fk_{table}_{column}_person")
            for column in people
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
    for column in (lender, borrower):
        op.create_index(f"ix_{table}_{column}", table, [column], unique=False)


def _add_kinds(table: str, parent: str, kind: str) -> None:
    op.create_table(
        table,
        sa.Column(f"{parent}_id", sa.Integer(), nullable=False),
        sa.Column(kind, sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            [f"{parent}_id"], [f"{parent}.id"], name=f"fk_{table}_{parent}_id_{parent}"
        ),
        sa.PrimaryKeyConstraint(f"{parent}_id", kind, name=f"pk_{table}"),
    )


def downgrade() -> None:
    for table, column in reversed(ON_BEHALF):
        op.drop_column(table, column)
    for table in ("entrusted_act", "entrustment", "substituted_role", "substitution"):
        op.drop_table(table)
