"""What the attendance of closed meetings came to, and which meetings were run elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def _sums(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "meeting_summary",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("made_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_summary_meeting_id_meeting")
        ),
        sa.PrimaryKeyConstraint("meeting_id", name=op.f("pk_meeting_summary")),
    )
    op.create_table(
        "point_summary",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("is_substitute", sa.Boolean(), nullable=False),
        *_sums("expected", "late", "lost", "left_early", "interruptions", "headcount"),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_point_summary_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_point_summary_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_point_summary_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["unit.id"], name=op.f("fk_point_summary_parent_id_unit")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "point_id", name=op.f("pk_point_summary")),
    )
    op.create_index(op.f("ix_point_summary_day_unit_id"), "point_summary", ["day", "unit_id"])
    op.create_index(op.f("ix_point_summary_unit_id_day"), "point_summary", ["unit_id", "day"])
    op.create_table(
        "unit_month",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        *_sums(
            "invited",
            "present",
            "late",
            "absent",
            "declined",
            "substitutes",
            "people",
            "interruptions",
            "expected",
            "missed",
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_unit_month_unit_id_unit")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["unit.id"], name=op.f("fk_unit_month_parent_id_unit")
        ),
        sa.PrimaryKeyConstraint(
            "month", "unit_id", "parent_id", "level", name=op.f("pk_unit_month")
        ),
    )
    op.create_index(op.f("ix_unit_month_unit_id_month"), "unit_month", ["unit_id", "month"])
    op.create_table(
        "elsewhere_statement",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("meetings", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("stated_by", sa.Integer(), nullable=False),
        sa.Column("stated_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_elsewhere_statement_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["stated_by"], ["person.id"], name=op.f("fk_elsewhere_statement_stated_by_person")
        ),
        sa.PrimaryKeyConstraint("unit_id", "month", name=op.f("pk_elsewhere_statement")),
    )
    op.create_index(op.f("ix_elsewhere_statement_month"), "elsewhere_statement", ["month"])


def downgrade() -> None:
    op.drop_table("elsewhere_statement")
    op.drop_table("unit_month")
    op.drop_table("point_summary")
    op.drop_table("meeting_summary")
