"""The log of attendance tells for whom and from where something was said."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attendance_entry", sa.Column("on_behalf_of_id", sa.Integer(), nullable=True))
    op.add_column(
        "attendance_entry",
        sa.Column("address", sa.String(), server_default=sa.text("''"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("attendance_entry", "address")
    op.drop_column("attendance_entry", "on_behalf_of_id")
