"""Line tests before meetings, what browsers measured for them, and the decision to go ahead."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ITEMS = ("picture", "sound", "camera", "network", "backup_line")


def upgrade() -> None:
    op.create_table(
        "self_test",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("taken_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("camera", "microphone", "speakers", "network")
        ),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_self_test_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_self_test_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["taken_by"], ["person.id"], name=op.f("fk_self_test_taken_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_self_test")),
    )
    op.create_index(
        op.f("ix_self_test_meeting_id_point_id"), "self_test", ["meeting_id", "point_id"]
    )
    op.create_table(
        "line_test",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("tested_for", UTCDateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ITEMS),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tested_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("tested_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_line_test_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_line_test_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["tested_by"], ["person.id"], name=op.f("fk_line_test_tested_by_person")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "point_id", name=op.f("pk_line_test")),
    )
    op.create_table(
        "line_test_entry",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("fault_id", sa.Integer(), nullable=True),
        sa.Column("self_test_id", sa.Integer(), nullable=True),
        sa.Column("tested_for", UTCDateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=False),
        sa.Column("on_behalf_of_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_line_test_entry_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["bridge_point.id"],
            name=op.f("fk_line_test_entry_point_id_bridge_point"),
        ),
        sa.ForeignKeyConstraint(
            ["fault_id"], ["fault.id"], name=op.f("fk_line_test_entry_fault_id_fault")
        ),
        sa.ForeignKeyConstraint(
            ["self_test_id"],
            ["self_test.id"],
            name=op.f("fk_line_test_entry_self_test_id_self_test"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_line_test_entry_recorded_by_person")
        ),
        sa.PrimaryKeyConstraint(
            "meeting_id", "point_id", "number", name=op.f("pk_line_test_entry")
        ),
    )
    op.create_table(
        "go_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=False),
        sa.Column("on_behalf_of_id", sa.Integer(), nullable=True),
        sa.Column("decided_for", UTCDateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("points", "ready", "problem", "partial", "untested")
        ),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_go_decision_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_go_decision_decided_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["on_behalf_of_id"], ["person.id"], name=op.f("fk_go_decision_on_behalf_of_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_go_decision")),
        sa.UniqueConstraint("meeting_id", "number", name=op.f("uq_go_decision_meeting_id_number")),
    )


def downgrade() -> None:
    op.drop_table("go_decision")
    op.drop_table("line_test_entry")
    op.drop_table("line_test")
    op.drop_index(op.f("ix_self_test_meeting_id_point_id"), table_name="self_test")
    op.drop_table("self_test")
