"""Receipts that pass on when a unit ends: what had become of them before."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_inheritance",
        sa.Column("directive_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("heir_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("circulation_id", sa.Integer(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=True),
        sa.Column("read_at", UTCDateTime(), nullable=True),
        sa.Column("read_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["circulation_id"],
            ["circulation.id"],
            name=op.f("fk_receipt_inheritance_circulation_id_circulation"),
        ),
        sa.ForeignKeyConstraint(
            ["directive_id"],
            ["directive.id"],
            name=op.f("fk_receipt_inheritance_directive_id_directive"),
        ),
        sa.ForeignKeyConstraint(
            ["heir_id"], ["unit.id"], name=op.f("fk_receipt_inheritance_heir_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["read_by"], ["person.id"], name=op.f("fk_receipt_inheritance_read_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_receipt_inheritance_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("directive_id", "unit_id", name=op.f("pk_receipt_inheritance")),
    )
    op.create_index(
        op.f("ix_receipt_inheritance_heir_id"), "receipt_inheritance", ["heir_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("receipt_inheritance")
