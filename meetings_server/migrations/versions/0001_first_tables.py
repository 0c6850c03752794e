"""The first tables."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
    )
    with op.batch_alter_table("login_attempt", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_login_attempt_account_at"), ["account", "at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_login_attempt_address_at"), ["address", "at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_login_attempt_at"), ["at"], unique=False)

    op.create_table(
        "stored_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_stored_file")),
    )
    op.create_table(
        "sweep_mark",
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("occasion", name=op.f("pk_sweep_mark")),
    )
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
    )
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_unit_code_valid_from"), ["code", "valid_from"], unique=True
        )
        batch_op.create_index(batch_op.f("ix_unit_level"), ["level"], unique=False)

    op.create_table(
        "bridge_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("endpoint_kind", sa.String(), nullable=False),
        sa.Column("endpoint_address", sa.String(), nullable=False),
        sa.Column("technician_name", sa.String(), nullable=False),
        sa.Column("technician_phone", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_bridge_point_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge_point")),
    )
    with op.batch_alter_table("bridge_point", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bridge_point_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_person_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("username", name=op.f("uq_person_username")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "register_counter",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_register_counter_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("unit_id", "kind", "year", name=op.f("pk_register_counter")),
    )
    op.create_table(
        "register_entry",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_register_entry_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "kind", "year", "number", name=op.f("pk_register_entry")
        ),
    )
    op.create_table(
        "succession",
        sa.Column("predecessor_id", sa.Integer(), nullable=False),
        sa.Column("successor_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("extent", sa.String(), nullable=False),
        sa.Column("is_main", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["predecessor_id"], ["unit.id"], name=op.f("fk_succession_predecessor_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"], ["unit.id"], name=op.f("fk_succession_successor_id_unit")
        ),
        sa.PrimaryKeyConstraint(
            "predecessor_id", "successor_id", "day", name=op.f("pk_succession")
        ),
    )
    op.create_table(
        "unit_ancestry",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("ancestor_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ancestor_id"], ["unit.id"], name=op.f("fk_unit_ancestry_ancestor_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_unit_ancestry_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "ancestor_id", "valid_from", name=op.f("pk_unit_ancestry")
        ),
    )
    with op.batch_alter_table("unit_ancestry", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_unit_ancestry_ancestor_id_unit_id"),
            ["ancestor_id", "unit_id"],
            unique=False,
        )

    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_api_token_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_token_secret_hash")),
    )
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_token_person_id"), ["person_id"], unique=False)

    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("of_id", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_calendar_feed_created_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("token", name=op.f("uq_calendar_feed_token")),
    )
    with op.batch_alter_table("calendar_feed", schema=None) as batch_op:
        batch_op.create_index(
            "uq_calendar_feed_standing",
            ["kind", "of_id"],
            unique=True,
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        )

    op.create_table(
        "credential",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_credential_person_id_person")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_credential")),
    )
    op.create_table(
        "first_answer",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_first_answer_person_id_person")
        ),
        sa.PrimaryKeyConstraint("person_id", "key", name=op.f("pk_first_answer")),
    )
    op.create_table(
        "login_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_login_session_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_login_session_secret_hash")),
    )
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_session_person_id"), ["person_id"], unique=False)

    op.create_table(
        "meeting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("request_key", sa.String(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("host_unit_id", sa.Integer(), nullable=False),
        sa.Column("main_point_id", sa.Integer(), nullable=False),
        sa.Column("chair_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("setup_minutes", sa.Integer(), nullable=False),
        sa.Column("clearing_minutes", sa.Integer(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("requirements", sa.String(), nullable=False),
        sa.Column("join_url", sa.String(), nullable=False),
        sa.Column("join_address", sa.String(), nullable=False),
        sa.Column("join_pin", sa.String(), nullable=False),
        sa.Column("late_reason", sa.String(), nullable=False),
        sa.Column("closing_reason", sa.String(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("scheduled_at", UTCDateTime(), nullable=True),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["chair_id"], ["person.id"], name=op.f("fk_meeting_chair_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_meeting_created_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["host_unit_id"], ["unit.id"], name=op.f("fk_meeting_host_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["main_point_id"],
            ["bridge_point.id"],
            name=op.f("fk_meeting_main_point_id_bridge_point"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting")),
        sa.UniqueConstraint("request_key", name=op.f("uq_meeting_request_key")),
        sa.UniqueConstraint("uid", name=op.f("uq_meeting_uid")),
    )
    with op.batch_alter_table("meeting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_meeting_chair_id"), ["chair_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_meeting_host_unit_id"), ["host_unit_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_meeting_starts_at"), ["starts_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_meeting_state"), ["state"], unique=False)

    op.create_table(
        "outage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_outage_point_id_bridge_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outage")),
    )
    with op.batch_alter_table("outage", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outage_point_id"), ["point_id"], unique=False)

    op.create_table(
        "paper_pointer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("document_date", sa.Date(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_paper_pointer_created_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_paper_pointer_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_pointer")),
    )
    with op.batch_alter_table("paper_pointer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_paper_pointer_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "role_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_role_grant_person_id_person")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_role_grant_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
    )
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_role_grant_person_id_role"), ["person_id", "role"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_role_grant_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "agenda_item",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("presenter", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_agenda_item_meeting_id_meeting")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "position", name=op.f("pk_agenda_item")),
    )
    op.create_table(
        "attendance_entry",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("head_of_delegation", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("observed_at", UTCDateTime(), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_attendance_entry_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"],
            ["bridge_point.id"],
            name=op.f("fk_attendance_entry_point_id_bridge_point"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_attendance_entry_recorded_by_person")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "revision", name=op.f("pk_attendance_entry")),
    )
    with op.batch_alter_table("attendance_entry", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_attendance_entry_meeting_id_point_id_observed_at"),
            ["meeting_id", "point_id", "observed_at"],
            unique=False,
        )

    op.create_table(
        "attendance_head",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_attendance_head_meeting_id_meeting")
        ),
        sa.PrimaryKeyConstraint("meeting_id", name=op.f("pk_attendance_head")),
    )
    op.create_table(
        "directive",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("wanted_number", sa.Integer(), nullable=True),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("issuing_unit_id", sa.Integer(), nullable=False),
        sa.Column("signed_by_name", sa.String(), nullable=False),
        sa.Column("signed_by_title", sa.String(), nullable=False),
        sa.Column("document_date", sa.Date(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("secrecy", sa.String(), nullable=False),
        sa.Column("deadline", UTCDateTime(), nullable=True),
        sa.Column("meeting_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("request_key", sa.String(length=100), nullable=True),
        sa.Column("issued_at", UTCDateTime(), nullable=True),
        sa.Column("issued_by", sa.Integer(), nullable=True),
        sa.Column("recalled_at", UTCDateTime(), nullable=True),
        sa.Column("recalled_by", sa.Integer(), nullable=True),
        sa.Column("recall_reason", sa.String(), nullable=False),
        sa.CheckConstraint("secrecy = 'open'", name=op.f("ck_directive_no_state_secret")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_directive_created_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["issued_by"], ["person.id"], name=op.f("fk_directive_issued_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["issuing_unit_id"], ["unit.id"], name=op.f("fk_directive_issuing_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_directive_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["recalled_by"], ["person.id"], name=op.f("fk_directive_recalled_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directive")),
        sa.UniqueConstraint(
            "created_by", "request_key", name=op.f("uq_directive_created_by_request_key")
        ),
        sa.UniqueConstraint(
            "issuing_unit_id",
            "kind",
            "year",
            "number",
            name=op.f("uq_directive_issuing_unit_id_kind_year_number"),
        ),
    )
    with op.batch_alter_table("directive", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_directive_document_date_id"), ["document_date", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_directive_issuing_unit_id"), ["issuing_unit_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_directive_meeting_id"), ["meeting_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_directive_state"), ["state"], unique=False)

    op.create_table(
        "meeting_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["person.id"], name=op.f("fk_meeting_change_actor_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_change_meeting_id_meeting")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting_change")),
    )
    with op.batch_alter_table("meeting_change", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_meeting_change_meeting_id"), ["meeting_id"], unique=False
        )

    op.create_table(
        "meeting_paper",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("uploaded_by", sa.Integer(), nullable=False),
        sa.Column("uploaded_at", UTCDateTime(), nullable=False),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_paper_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["stored_file.sha256"], name=op.f("fk_meeting_paper_sha256_stored_file")
        ),
        sa.ForeignKeyConstraint(
            ["uploaded_by"], ["person.id"], name=op.f("fk_meeting_paper_uploaded_by_person")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "n", name=op.f("pk_meeting_paper")),
    )
    with op.batch_alter_table("meeting_paper", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_meeting_paper_sha256"), ["sha256"], unique=False)

    op.create_table(
        "minutes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("corrects_id", sa.Integer(), nullable=True),
        sa.Column("correction_reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("pdf_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("saved_by", sa.Integer(), nullable=False),
        sa.Column("saved_at", UTCDateTime(), nullable=False),
        sa.Column("submitted_at", UTCDateTime(), nullable=True),
        sa.Column("sent_back_reason", sa.String(), nullable=False),
        sa.Column("signed_by", sa.Integer(), nullable=True),
        sa.Column("signed_at", UTCDateTime(), nullable=True),
        sa.Column("issued_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["minutes.id"], name=op.f("fk_minutes_corrects_id_minutes")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_minutes_created_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_minutes_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["pdf_sha256"], ["stored_file.sha256"], name=op.f("fk_minutes_pdf_sha256_stored_file")
        ),
        sa.ForeignKeyConstraint(
            ["saved_by"], ["person.id"], name=op.f("fk_minutes_saved_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["signed_by"], ["person.id"], name=op.f("fk_minutes_signed_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minutes")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_minutes_corrects_id")),
    )
    with op.batch_alter_table("minutes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_minutes_issued_at"), ["issued_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_minutes_meeting_id"), ["meeting_id"], unique=False)
        batch_op.create_index(
            "uq_minutes_first_of_meeting",
            ["meeting_id"],
            unique=True,
            sqlite_where=sa.text("corrects_id IS NULL"),
            postgresql_where=sa.text("corrects_id IS NULL"),
        )

    op.create_table(
        "occupancy",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_occupancy_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_occupancy_point_id_bridge_point")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "point_id", name=op.f("pk_occupancy")),
    )
    with op.batch_alter_table("occupancy", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_occupancy_point_id_starts_at_ends_at"),
            ["point_id", "starts_at", "ends_at"],
            unique=False,
        )

    op.create_table(
        "outbox_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_outbox_message_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_outbox_message_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_message")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_message_key")),
    )
    with op.batch_alter_table("outbox_message", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_outbox_message_meeting_id"), ["meeting_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_outbox_message_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "participation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("is_main", sa.Boolean(), nullable=False),
        sa.Column("invited_at", UTCDateTime(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.Column("reply", sa.String(), nullable=False),
        sa.Column("reply_reason", sa.String(), nullable=False),
        sa.Column("replied_at", UTCDateTime(), nullable=True),
        sa.Column("replied_by", sa.Integer(), nullable=True),
        sa.Column("delegate_name", sa.String(), nullable=False),
        sa.Column("delegate_title", sa.String(), nullable=False),
        sa.Column("is_substitute", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_participation_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_participation_point_id_bridge_point")
        ),
        sa.ForeignKeyConstraint(
            ["replied_by"], ["person.id"], name=op.f("fk_participation_replied_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_participation_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participation")),
        sa.UniqueConstraint(
            "meeting_id", "point_id", name=op.f("uq_participation_meeting_id_point_id")
        ),
    )
    with op.batch_alter_table("participation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_participation_point_id"), ["point_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_participation_unit_id_meeting_id"),
            ["unit_id", "meeting_id"],
            unique=False,
        )

    op.create_table(
        "point_state",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("head_of_delegation", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("observed_at", UTCDateTime(), nullable=False),
        sa.Column("first_present_at", UTCDateTime(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_point_state_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["bridge_point.id"], name=op.f("fk_point_state_point_id_bridge_point")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "point_id", name=op.f("pk_point_state")),
    )
    op.create_table(
        "circulation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("directive_id", sa.Integer(), nullable=False),
        sa.Column("from_unit_id", sa.Integer(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=False),
        sa.Column("sent_by", sa.Integer(), nullable=False),
        sa.Column("deadline", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["directive_id"], ["directive.id"], name=op.f("fk_circulation_directive_id_directive")
        ),
        sa.ForeignKeyConstraint(
            ["from_unit_id"], ["unit.id"], name=op.f("fk_circulation_from_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["sent_by"], ["person.id"], name=op.f("fk_circulation_sent_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_circulation")),
    )
    with op.batch_alter_table("circulation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_circulation_directive_id"), ["directive_id"], unique=False
        )

    op.create_table(
        "directive_file",
        sa.Column("directive_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("added_at", UTCDateTime(), nullable=False),
        sa.Column("added_by", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["added_by"], ["person.id"], name=op.f("fk_directive_file_added_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["directive_id"],
            ["directive.id"],
            name=op.f("fk_directive_file_directive_id_directive"),
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["stored_file.sha256"], name=op.f("fk_directive_file_sha256_stored_file")
        ),
        sa.PrimaryKeyConstraint("directive_id", "n", name=op.f("pk_directive_file")),
    )
    with op.batch_alter_table("directive_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directive_file_sha256"), ["sha256"], unique=False)

    op.create_table(
        "earlier_reply",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participation_id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("asked_again_at", UTCDateTime(), nullable=False),
        sa.Column("reply", sa.String(), nullable=False),
        sa.Column("reply_reason", sa.String(), nullable=False),
        sa.Column("replied_at", UTCDateTime(), nullable=True),
        sa.Column("replied_by", sa.Integer(), nullable=True),
        sa.Column("delegate_name", sa.String(), nullable=False),
        sa.Column("delegate_title", sa.String(), nullable=False),
        sa.Column("is_substitute", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_earlier_reply_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["participation_id"],
            ["participation.id"],
            name=op.f("fk_earlier_reply_participation_id_participation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["replied_by"], ["person.id"], name=op.f("fk_earlier_reply_replied_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_reply")),
    )
    with op.batch_alter_table("earlier_reply", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_earlier_reply_meeting_id"), ["meeting_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_earlier_reply_participation_id_id"),
            ["participation_id", "id"],
            unique=False,
        )

    op.create_table(
        "minutes_version",
        sa.Column("minutes_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_minutes_version_author_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["minutes_id"], ["minutes.id"], name=op.f("fk_minutes_version_minutes_id_minutes")
        ),
        sa.PrimaryKeyConstraint("minutes_id", "version", name=op.f("pk_minutes_version")),
    )
    op.create_table(
        "outbox_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("participation_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("own", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("claimed_until", UTCDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["outbox_message.id"],
            name=op.f("fk_outbox_delivery_message_id_outbox_message"),
        ),
        sa.ForeignKeyConstraint(
            ["participation_id"],
            ["participation.id"],
            name=op.f("fk_outbox_delivery_participation_id_participation"),
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_outbox_delivery_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_delivery")),
        sa.UniqueConstraint(
            "message_id", "recipient", name=op.f("uq_outbox_delivery_message_id_recipient")
        ),
    )
    with op.batch_alter_table("outbox_delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_delivery_address"), ["address"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_outbox_delivery_participation_id"), ["participation_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_outbox_delivery_state_due_at"), ["state", "due_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_outbox_delivery_unit_id_address"), ["unit_id", "address"], unique=False
        )

    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("minutes_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("lead_unit_id", sa.Integer(), nullable=False),
        sa.Column("deadline", sa.Date(), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("done_by", sa.Integer(), nullable=True),
        sa.Column("replaced_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["done_by"], ["person.id"], name=op.f("fk_task_done_by_person")),
        sa.ForeignKeyConstraint(
            ["lead_unit_id"], ["unit.id"], name=op.f("fk_task_lead_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_task_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["minutes_id"], ["minutes.id"], name=op.f("fk_task_minutes_id_minutes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("minutes_id", "n", name=op.f("uq_task_minutes_id_n")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_deadline"), ["deadline"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_lead_unit_id"), ["lead_unit_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_meeting_id"), ["meeting_id"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("directive_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("circulation_id", sa.Integer(), nullable=False),
        sa.Column("forwarded_from_id", sa.Integer(), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=True),
        sa.Column("read_at", UTCDateTime(), nullable=True),
        sa.Column("read_by", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", UTCDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"], ["person.id"], name=op.f("fk_receipt_acknowledged_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["circulation_id"],
            ["circulation.id"],
            name=op.f("fk_receipt_circulation_id_circulation"),
        ),
        sa.ForeignKeyConstraint(
            ["directive_id"], ["directive.id"], name=op.f("fk_receipt_directive_id_directive")
        ),
        sa.ForeignKeyConstraint(
            ["forwarded_from_id"], ["unit.id"], name=op.f("fk_receipt_forwarded_from_id_unit")
        ),
        sa.ForeignKeyConstraint(["read_by"], ["person.id"], name=op.f("fk_receipt_read_by_person")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_receipt_unit_id_unit")),
        sa.PrimaryKeyConstraint("directive_id", "unit_id", name=op.f("pk_receipt")),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_receipt_circulation_id"), ["circulation_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_receipt_unit_id_acknowledged_at"),
            ["unit_id", "acknowledged_at"],
            unique=False,
        )

    op.create_table(
        "task_coordination",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_task_coordination_task_id_task")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_task_coordination_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("task_id", "unit_id", name=op.f("pk_task_coordination")),
    )
    with op.batch_alter_table("task_coordination", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_coordination_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "task_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_task_note_author_id_person")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_note_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_note")),
    )
    with op.batch_alter_table("task_note", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_note_task_id"), ["task_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("task_note", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_note_task_id"))

    op.drop_table("task_note")
    with op.batch_alter_table("task_coordination", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_coordination_unit_id"))

    op.drop_table("task_coordination")
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receipt_unit_id_acknowledged_at"))
        batch_op.drop_index(batch_op.f("ix_receipt_circulation_id"))

    op.drop_table("receipt")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_meeting_id"))
        batch_op.drop_index(batch_op.f("ix_task_lead_unit_id"))
        batch_op.drop_index(batch_op.f("ix_task_deadline"))

    op.drop_table("task")
    with op.batch_alter_table("outbox_delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_delivery_unit_id_address"))
        batch_op.drop_index(batch_op.f("ix_outbox_delivery_state_due_at"))
        batch_op.drop_index(batch_op.f("ix_outbox_delivery_participation_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_delivery_address"))

    op.drop_table("outbox_delivery")
    op.drop_table("minutes_version")
    with op.batch_alter_table("earlier_reply", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_earlier_reply_participation_id_id"))
        batch_op.drop_index(batch_op.f("ix_earlier_reply_meeting_id"))

    op.drop_table("earlier_reply")
    with op.batch_alter_table("directive_file", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directive_file_sha256"))

    op.drop_table("directive_file")
    with op.batch_alter_table("circulation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_circulation_directive_id"))

    op.drop_table("circulation")
    op.drop_table("point_state")
    with op.batch_alter_table("participation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_participation_unit_id_meeting_id"))
        batch_op.drop_index(batch_op.f("ix_participation_point_id"))

    op.drop_table("participation")
    with op.batch_alter_table("outbox_message", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_message_unit_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_message_meeting_id"))

    op.drop_table("outbox_message")
    with op.batch_alter_table("occupancy", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_occupancy_point_id_starts_at_ends_at"))

    op.drop_table("occupancy")
    with op.batch_alter_table("minutes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_minutes_first_of_meeting",
            sqlite_where=sa.text("corrects_id IS NULL"),
            postgresql_where=sa.text("corrects_id IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_minutes_meeting_id"))
        batch_op.drop_index(batch_op.f("ix_minutes_issued_at"))

    op.drop_table("minutes")
    with op.batch_alter_table("meeting_paper", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_meeting_paper_sha256"))

    op.drop_table("meeting_paper")
    with op.batch_alter_table("meeting_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_meeting_change_meeting_id"))

    op.drop_table("meeting_change")
    with op.batch_alter_table("directive", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directive_state"))
        batch_op.drop_index(batch_op.f("ix_directive_meeting_id"))
        batch_op.drop_index(batch_op.f("ix_directive_issuing_unit_id"))
        batch_op.drop_index(batch_op.f("ix_directive_document_date_id"))

    op.drop_table("directive")
    op.drop_table("attendance_head")
    with op.batch_alter_table("attendance_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attendance_entry_meeting_id_point_id_observed_at"))

    op.drop_table("attendance_entry")
    op.drop_table("agenda_item")
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_role_grant_unit_id"))
        batch_op.drop_index(batch_op.f("ix_role_grant_person_id_role"))

    op.drop_table("role_grant")
    with op.batch_alter_table("paper_pointer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_paper_pointer_unit_id"))

    op.drop_table("paper_pointer")
    with op.batch_alter_table("outage", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outage_point_id"))

    op.drop_table("outage")
    with op.batch_alter_table("meeting", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_meeting_state"))
        batch_op.drop_index(batch_op.f("ix_meeting_starts_at"))
        batch_op.drop_index(batch_op.f("ix_meeting_host_unit_id"))
        batch_op.drop_index(batch_op.f("ix_meeting_chair_id"))

    op.drop_table("meeting")
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_session_person_id"))

    op.drop_table("login_session")
    op.drop_table("first_answer")
    op.drop_table("credential")
    with op.batch_alter_table("calendar_feed", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_calendar_feed_standing",
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        )

    op.drop_table("calendar_feed")
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_token_person_id"))

    op.drop_table("api_token")
    with op.batch_alter_table("unit_ancestry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unit_ancestry_ancestor_id_unit_id"))

    op.drop_table("unit_ancestry")
    op.drop_table("succession")
    op.drop_table("register_entry")
    op.drop_table("register_counter")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_unit_id"))

    op.drop_table("person")
    with op.batch_alter_table("bridge_point", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bridge_point_unit_id"))

    op.drop_table("bridge_point")
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unit_level"))
        batch_op.drop_index(batch_op.f("ix_unit_code_valid_from"))

    op.drop_table("unit")
    op.drop_table("sweep_mark")
    op.drop_table("stored_file")
    with op.batch_alter_table("login_attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_login_attempt_address_at"))
        batch_op.drop_index(batch_op.f("ix_login_attempt_account_at"))

    op.drop_table("login_attempt")
