"""What explains a cache miss: the code that a step reached, and why a look-up found nothing. Rollbacks of names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables and two columns."""
    op.create_table(
        "zen_codes",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "digest", name=op.f("pk_zen_codes")),
    )
    op.create_table(
        "zen_rollbacks",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("moved_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "pipeline", "name", "position", name=op.f("pk_zen_rollbacks")),
        sqlite_with_rowid=False,
    )
    op.add_column("zen_code_bundles", sa.Column("left_out", sa.Text(), nullable=True))
    op.add_column("zen_attempts", sa.Column("cache_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove them, with what is in them."""
    op.drop_column("zen_attempts", "cache_reason")
    op.drop_column("zen_code_bundles", "left_out")
    op.drop_table("zen_rollbacks")
    op.drop_table("zen_codes")
