"""A token that is another one whenever a unit or a place in the tree has changed.

Whoever rebuilds `unit` or `unit_ancestry` on SQLite lays their triggers again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("unit", "unit_ancestry")
CHANGES = ("insert", "update", "delete")

FUNCTION = """
CREATE FUNCTION tree_has_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tree_state SET token = gen_random_uuid()::text;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "tree_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tree_state")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("INSERT INTO tree_state (id, token) VALUES (1, gen_random_uuid()::text)")
        op.execute(FUNCTION)
        for table in TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_tells AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE"
                f" ON {table} FOR EACH STATEMENT EXECUTE FUNCTION tree_has_changed()"
            )
        return
    op.execute("INSERT INTO tree_state (id, token) VALUES (1, lower(hex(randomblob(16))))")
    for table in TABLES:
        for change in CHANGES:
            op.execute(
                f"CREATE TRIGGER {table}_tells_{change} AFTER {change} ON {table} BEGIN"  # noqa: S608 -- names from above
                " UPDATE tree_state SET token = lower(hex(randomblob(16))); END"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"DROP TRIGGER {table}_tells ON {table}")
        op.execute("DROP FUNCTION tree_has_changed()")
    else:
        for table in TABLES:
            for change in CHANGES:
                op.execute(f"DROP TRIGGER {table}_tells_{change}")
    op.drop_table("tree_state")
