"""Reorganisations of the tree, and the meetings they re-aimed."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reorganisation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("touched", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("applied_at", UTCDateTime(), nullable=True),
        sa.Column("applied_by", sa.Integer(), nullable=True),
        sa.Column("in_force_at", UTCDateTime(), nullable=True),
        sa.Column("taken_back_at", UTCDateTime(), nullable=True),
        sa.Column("taken_back_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_reorganisation_created_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["applied_by"], ["person.id"], name=op.f("fk_reorganisation_applied_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["taken_back_by"], ["person.id"], name=op.f("fk_reorganisation_taken_back_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reorganisation")),
    )
    op.create_index(op.f("ix_reorganisation_day"), "reorganisation", ["day"])
    op.create_index(op.f("ix_reorganisation_state"), "reorganisation", ["state"])
    op.create_table(
        "reaimed_meeting",
        sa.Column("reorganisation_id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("audience_before", sa.JSON(), nullable=False),
        sa.Column("audience_after", sa.JSON(), nullable=False),
        sa.Column("host_before", sa.Integer(), nullable=False),
        sa.Column("host_after", sa.Integer(), nullable=False),
        sa.Column("main_point_before", sa.Integer(), nullable=False),
        sa.Column("main_point_after", sa.Integer(), nullable=False),
        sa.Column("points_before", sa.Integer(), nullable=False),
        sa.Column("points_after", sa.Integer(), nullable=False),
        sa.Column("doubles", sa.Integer(), nullable=False),
        sa.Column("added", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reorganisation_id"],
            ["reorganisation.id"],
            name=op.f("fk_reaimed_meeting_reorganisation_id_reorganisation"),
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_reaimed_meeting_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["host_before"], ["unit.id"], name=op.f("fk_reaimed_meeting_host_before_unit")
        ),
        sa.ForeignKeyConstraint(
            ["host_after"], ["unit.id"], name=op.f("fk_reaimed_meeting_host_after_unit")
        ),
        sa.ForeignKeyConstraint(
            ["main_point_before"],
            ["bridge_point.id"],
            name=op.f("fk_reaimed_meeting_main_point_before_bridge_point"),
        ),
        sa.ForeignKeyConstraint(
            ["main_point_after"],
            ["bridge_point.id"],
            name=op.f("fk_reaimed_meeting_main_point_after_bridge_point"),
        ),
        sa.PrimaryKeyConstraint("reorganisation_id", "meeting_id", name=op.f("pk_reaimed_meeting")),
    )
    op.create_index(op.f("ix_reaimed_meeting_meeting_id"), "reaimed_meeting", ["meeting_id"])


def downgrade() -> None:
    op.drop_table("reaimed_meeting")
    op.drop_table("reorganisation")
