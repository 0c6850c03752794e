"""Order, address and end of bridge points; their equipment, technicians and faults."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "bridge_point", sa.Column("position", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "bridge_point",
        sa.Column("address", sa.String(), server_default=sa.text("''"), nullable=False),
    )
    op.add_column("bridge_point", sa.Column("closed_on", sa.Date(), nullable=True))
    with op.batch_alter_table("outage", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reported_by", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("reported_at", UTCDateTime(), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_outage_reported_by_person"), "person", ["reported_by"], ["id"]
        )
    _add_equipment()
    _add_technicians()
    _add_faults()


def _add_equipment() -> None:
    op.create_table(
        "equipment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("condition", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_equipment_point_id_bridge_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment")),
    )
    op.create_index(op.f("ix_equipment_point_id"), "equipment", ["point_id"], unique=False)


def _add_technicians() -> None:
    op.create_table(
        "point_technician",
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_point_technician_person_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["bridge_point.id"],
            name=op.f("fk_point_technician_point_id_bridge_point"),
        ),
        sa.PrimaryKeyConstraint("point_id", "person_id", name=op.f("pk_point_technician")),
    )
    op.create_index(
        op.f("ix_point_technician_person_id"), "point_technician", ["person_id"], unique=False
    )


def _add_faults() -> None:
    op.create_table(
        "fault",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("noticed_at", UTCDateTime(), nullable=False),
        sa.Column("reported_by", sa.Integer(), nullable=False),
        sa.Column("reported_at", UTCDateTime(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=True),
        sa.Column("outage_id", sa.Integer(), nullable=True),
        sa.Column("solved_at", UTCDateTime(), nullable=True),
        sa.Column("solved_by", sa.Integer(), nullable=True),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("request_key", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_fault_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["outage_id"],
            ["outage.id"],
            name=op.f("fk_fault_outage_id_outage"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_fault_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["reported_by"], ["person.id"], name=op.f("fk_fault_reported_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["solved_by"], ["person.id"], name=op.f("fk_fault_solved_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault")),
        sa.UniqueConstraint("request_key", name=op.f("uq_fault_request_key")),
    )
    op.create_index(
        op.f("ix_fault_point_id_noticed_at"), "fault", ["point_id", "noticed_at"], unique=False
    )
    op.create_index(op.f("ix_fault_solved_at"), "fault", ["solved_at"], unique=False)


def downgrade() -> None:
    op.drop_table("fault")
    op.drop_table("point_technician")
    op.drop_table("equipment")
    with op.batch_alter_table("outage", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_outage_reported_by_person"), type_="foreignkey")
        batch_op.drop_column("reported_at")
        batch_op.drop_column("reported_by")
    for column in ("closed_on", "address", "position"):
        op.drop_column("bridge_point", column)
