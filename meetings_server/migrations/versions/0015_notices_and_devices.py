"""What people are told in the page and on their devices, by rules for each kind of meeting."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("moment", sa.String(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("in_page", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_notice_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_notice_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("key", name=op.f("uq_notice_key")),
    )
    op.create_index(op.f("ix_notice_meeting_id"), "notice", ["meeting_id"])
    op.create_index(op.f("ix_notice_moment"), "notice", ["moment"])
    op.create_table(
        "notice_reader",
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notice.id"], name=op.f("fk_notice_reader_notice_id_notice")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_notice_reader_person_id_person")
        ),
        sa.PrimaryKeyConstraint("notice_id", "person_id", name=op.f("pk_notice_reader")),
    )
    op.create_index(
        op.f("ix_notice_reader_person_id_read_at"), "notice_reader", ["person_id", "read_at"]
    )
    op.create_table(
        "push_device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("auth_secret", sa.String(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("reached_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_push_device_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_device")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_device_endpoint")),
    )
    op.create_index(op.f("ix_push_device_person_id"), "push_device", ["person_id"])
    op.create_table(
        "push_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("public", sa.String(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_key")),
    )
    op.create_table(
        "escalation_step",
        sa.Column("meeting_kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("whom", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("by_page", sa.Boolean(), nullable=False),
        sa.Column("by_push", sa.Boolean(), nullable=False),
        sa.Column("by_mail", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("meeting_kind", "number", name=op.f("pk_escalation_step")),
    )
    mail = sa.text("'mail'")
    op.add_column(
        "outbox_delivery", sa.Column("channel", sa.String(), server_default=mail, nullable=False)
    )
    op.add_column(
        "outbox_delivery",
        sa.Column("points", sa.Integer(), server_default=sa.text("'0'"), nullable=False),
    )
    op.drop_index(op.f("ix_outbox_delivery_state_due_at"), "outbox_delivery")
    op.create_index(
        op.f("ix_outbox_delivery_channel_state_due_at"),
        "outbox_delivery",
        ["channel", "state", "due_at"],
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_outbox_delivery_channel_state_due_at"), "outbox_delivery")
    # Before there were channels everything was mail, and none of these could be sent as mail.
    op.execute("DELETE FROM outbox_delivery WHERE channel <> 'mail'")
    op.create_index(op.f("ix_outbox_delivery_state_due_at"), "outbox_delivery", ["state", "due_at"])
    op.drop_column("outbox_delivery", "points")
    op.drop_column("outbox_delivery", "channel")
    for table in ("escalation_step", "push_key", "push_device", "notice_reader", "notice"):
        op.drop_table(table)
