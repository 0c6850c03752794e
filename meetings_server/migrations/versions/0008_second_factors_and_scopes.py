"""Second factors, half logins, the OpenID Connect provider, scopes of tokens."""

import sqlalchemy as sa
from alembic import op

from rooms.kernel import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "credential", sa.Column("short", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    # Until now a token opened everything that its person may, and goes on doing so.
    op.add_column("api_token", sa.Column("scopes", sa.String(), server_default="*", nullable=False))
    op.add_column(
        "login_session",
        sa.Column("method", sa.String(), server_default="password", nullable=False),
    )
    op.add_column(
        "login_session",
        sa.Column("second_factor", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("login_session", sa.Column("id_token", sa.String(), nullable=True))
    _add_second_factor()
    _add_provider()


def _add_second_factor() -> None:
    op.create_table(
        "second_factor",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.String(), nullable=True),
        sa.Column("waiting_since", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_second_factor_person_id_person")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_recovery_code_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_code_code_hash")),
    )
    op.create_index(op.f("ix_recovery_code_person_id"), "recovery_code", ["person_id"])
    op.create_table(
        "pending_login",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("id_token", sa.String(), nullable=True),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_pending_login_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_login")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_pending_login_secret_hash")),
    )
    op.create_index(op.f("ix_pending_login_person_id"), "pending_login", ["person_id"])


def _add_provider() -> None:
    op.create_table(
        "external_identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("called", sa.String(), nullable=False),
        sa.Column("linked_at", UTCDateTime(), nullable=False),
        sa.Column("last_login_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_external_identity_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_external_identity_issuer_subject")),
    )
    op.create_index(op.f("ix_external_identity_person_id"), "external_identity", ["person_id"])
    op.create_table(
        "oidc_flow",
        sa.Column("state_hash", sa.String(), nullable=False),
        sa.Column("browser_hash", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oidc_flow")),
    )


def downgrade() -> None:
    for table in ("oidc_flow", "external_identity", "pending_login", "recovery_code"):
        op.drop_table(table)
    op.drop_table("second_factor")
    for column in ("id_token", "second_factor", "method"):
        op.drop_column("login_session", column)
    op.drop_column("api_token", "scopes")
    op.drop_column("credential", "short")
