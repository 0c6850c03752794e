"""What happens during a meeting: calls for help, messages of the host, reports of video systems."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "video_connection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("by_name", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("secret_since", instant, nullable=False),
        sa.Column("former_secret", sa.String(), nullable=False),
        sa.Column("former_until", instant, nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("last_event_at", instant, nullable=True),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("last_error_at", instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_video_connection_created_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_video_connection_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video_connection")),
        sa.UniqueConstraint("key", name=op.f("uq_video_connection_key")),
    )
    op.create_table(
        "help_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=True),
        sa.Column("taken_at", instant, nullable=True),
        sa.Column("taken_by", sa.Integer(), nullable=True),
        sa.Column("solved_at", instant, nullable=True),
        sa.Column("solved_by", sa.Integer(), nullable=True),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("confirmed_at", instant, nullable=True),
        sa.Column("withdrawn_at", instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["person.id"], name=op.f("fk_help_call_asked_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_help_call_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_help_call_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["solved_by"], ["person.id"], name=op.f("fk_help_call_solved_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["taken_by"], ["person.id"], name=op.f("fk_help_call_taken_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_help_call")),
    )
    op.create_index(
        op.f("ix_help_call_meeting_id_state"), "help_call", ["meeting_id", "state"], unique=False
    )
    op.create_index(op.f("ix_help_call_point_id"), "help_call", ["point_id"], unique=False)
    op.create_table(
        "host_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("aim", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("point_id", sa.Integer(), nullable=True),
        sa.Column("to_confirm", sa.Boolean(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("sent_at", instant, nullable=False),
        sa.Column("sent_by", sa.Integer(), nullable=False),
        sa.Column("on_behalf_of_id", sa.Integer(), nullable=True),
        sa.Column("corrects_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", instant, nullable=True),
        sa.Column("withdrawn_by", sa.Integer(), nullable=True),
        sa.Column("withdrawal_reason", sa.String(), nullable=False),
        sa.Column("request_key", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["corrects_id"],
            ["host_message.id"],
            name=op.f("fk_host_message_corrects_id_host_message"),
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_host_message_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["on_behalf_of_id"], ["person.id"], name=op.f("fk_host_message_on_behalf_of_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_host_message_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["sent_by"], ["person.id"], name=op.f("fk_host_message_sent_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_host_message_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawn_by"], ["person.id"], name=op.f("fk_host_message_withdrawn_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_message")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_host_message_corrects_id")),
        sa.UniqueConstraint("request_key", name=op.f("uq_host_message_request_key")),
    )
    op.create_index(
        op.f("ix_host_message_meeting_id"), "host_message", ["meeting_id"], unique=False
    )
    op.create_table(
        "video_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=True),
        sa.Column("point_id", sa.Integer(), nullable=True),
        sa.Column("room", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("observed_at", instant, nullable=False),
        sa.Column("received_at", instant, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["video_connection.id"],
            name=op.f("fk_video_event_connection_id_video_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_video_event_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_video_event_point_id_bridge_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video_event")),
        sa.UniqueConstraint(
            "connection_id", "event_id", name=op.f("uq_video_event_connection_id_event_id")
        ),
    )
    op.create_index(
        op.f("ix_video_event_connection_id_received_at"),
        "video_event",
        ["connection_id", "received_at"],
        unique=False,
    )
    op.create_index(op.f("ix_video_event_meeting_id"), "video_event", ["meeting_id"], unique=False)
    op.create_table(
        "video_participant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=True),
        sa.Column("matched", sa.String(), nullable=False),
        sa.Column("assigned_by", sa.Integer(), nullable=True),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("changed_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["assigned_by"], ["person.id"], name=op.f("fk_video_participant_assigned_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["video_connection.id"],
            name=op.f("fk_video_participant_connection_id_video_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_video_participant_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["bridge_point.id"],
            name=op.f("fk_video_participant_point_id_bridge_point"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video_participant")),
        sa.UniqueConstraint(
            "meeting_id",
            "connection_id",
            "key",
            name=op.f("uq_video_participant_meeting_id_connection_id_key"),
        ),
    )
    op.create_index(
        op.f("ix_video_participant_meeting_id_point_id"),
        "video_participant",
        ["meeting_id", "point_id"],
        unique=False,
    )
    op.create_table(
        "video_request",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("received_at", instant, nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["video_connection.id"],
            name=op.f("fk_video_request_connection_id_video_connection"),
        ),
        sa.PrimaryKeyConstraint("connection_id", "digest", name=op.f("pk_video_request")),
    )
    op.create_index(
        op.f("ix_video_request_received_at"), "video_request", ["received_at"], unique=False
    )
    op.create_table(
        "help_act",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Integer(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("on_behalf_of_id", sa.Integer(), nullable=True),
        sa.Column("to_id", sa.Integer(), nullable=True),
        sa.Column("words", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["help_call.id"], name=op.f("fk_help_act_call_id_help_call")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_help_act_person_id_person")
        ),
        sa.ForeignKeyConstraint(["to_id"], ["person.id"], name=op.f("fk_help_act_to_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_help_act")),
    )
    op.create_index(op.f("ix_help_act_call_id"), "help_act", ["call_id"], unique=False)
    op.create_table(
        "host_message_receipt",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("shown_at", instant, nullable=False),
        sa.Column("shown_to", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", instant, nullable=True),
        sa.Column("acknowledged_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"],
            ["person.id"],
            name=op.f("fk_host_message_receipt_acknowledged_by_person"),
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["host_message.id"],
            name=op.f("fk_host_message_receipt_message_id_host_message"),
        ),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["bridge_point.id"],
            name=op.f("fk_host_message_receipt_point_id_bridge_point"),
        ),
        sa.ForeignKeyConstraint(
            ["shown_to"], ["person.id"], name=op.f("fk_host_message_receipt_shown_to_person")
        ),
        sa.PrimaryKeyConstraint("message_id", "point_id", name=op.f("pk_host_message_receipt")),
    )
    op.create_index(
        op.f("ix_bridge_point_endpoint_address"), "bridge_point", ["endpoint_address"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_bridge_point_endpoint_address"), table_name="bridge_point")
    op.drop_table("host_message_receipt")
    op.drop_table("help_act")
    op.drop_table("video_request")
    op.drop_table("video_participant")
    op.drop_table("video_event")
    op.drop_table("host_message")
    op.drop_table("help_call")
    op.drop_table("video_connection")
