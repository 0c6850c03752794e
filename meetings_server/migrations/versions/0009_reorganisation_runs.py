"""How far the applying of a reorganisation has come."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reorganisation_run",
        sa.Column("reorganisation_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("reorganisation_id", name=op.f("pk_reorganisation_run")),
    )


def downgrade() -> None:
    op.drop_table("reorganisation_run")
