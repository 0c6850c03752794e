"""The present state of a point tells how it came; clocks that ran ahead are kept beside the log."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.add_column("attendance_entry", sa.Column("device_at", instant, nullable=True))
    op.add_column("point_state", sa.Column("device_at", instant, nullable=True))
    op.add_column(
        "point_state",
        sa.Column("source", sa.String(), server_default=sa.text("''"), nullable=False),
    )
    op.execute(
        "UPDATE point_state SET source = (SELECT source FROM attendance_entry AS entry"
        " WHERE entry.meeting_id = point_state.meeting_id"
        " AND entry.revision = point_state.revision)"
    )


def downgrade() -> None:
    op.drop_column("point_state", "source")
    op.drop_column("point_state", "device_at")
    op.drop_column("attendance_entry", "device_at")
