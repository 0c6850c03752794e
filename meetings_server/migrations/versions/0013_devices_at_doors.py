"""Tablets at doors with a login of their own, and what was said on them."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kiosk_device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=True),
        sa.Column("code_expires_at", UTCDateTime(), nullable=True),
        sa.Column("secret_hash", sa.String(), nullable=True),
        sa.Column("paired_at", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["made_by"], ["person.id"], name=op.f("fk_kiosk_device_made_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_kiosk_device_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["revoked_by"], ["person.id"], name=op.f("fk_kiosk_device_revoked_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kiosk_device")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_kiosk_device_code_hash")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_kiosk_device_secret_hash")),
    )
    op.create_index(op.f("ix_kiosk_device_point_id"), "kiosk_device", ["point_id"])
    op.add_column("attendance_entry", sa.Column("device_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("attendance_entry", "device_id")
    op.drop_table("kiosk_device")
