"""Who was reminded to come to a meeting, when and by whom."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_reminder_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["person.id"], name=op.f("fk_reminder_by_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
    )
    op.create_index(op.f("ix_reminder_meeting_id_at"), "reminder", ["meeting_id", "at"])
    op.create_table(
        "reminded_point",
        sa.Column("reminder_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reminder_id"], ["reminder.id"], name=op.f("fk_reminded_point_reminder_id_reminder")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_reminded_point_point_id_bridge_point")
        ),
        sa.PrimaryKeyConstraint("reminder_id", "point_id", name=op.f("pk_reminded_point")),
    )


def downgrade() -> None:
    op.drop_table("reminded_point")
    op.drop_index(op.f("ix_reminder_meeting_id_at"), "reminder")
    op.drop_table("reminder")
