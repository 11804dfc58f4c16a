"""Several projections of one outbox, and the indexes that keep every read quick over millions of rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PENDING = "done_at IS NULL"
_INDEXES = (
    ("ix_zen_outbox_pending", "zen_outbox", ("projection", "outbox_id"), _PENDING),
    ("ix_zen_outbox_run", "zen_outbox", ("run_id", "projection", "outbox_id"), _PENDING),
    ("ix_zen_attempts_started", "zen_attempts", ("project", "started_at"), ""),
    ("ix_zen_attempts_reused", "zen_attempts", ("reused_attempt_id",), "reused_attempt_id IS NOT NULL"),
    ("ix_zen_artifacts_created", "zen_artifacts", ("project", "kind", "created_at"), ""),
    ("ix_zen_artifact_names_name", "zen_artifact_names", ("project", "name", "pipeline"), ""),
    ("ix_zen_cache_entries_created", "zen_cache_entries", ("project", "created_at"), ""),
    ("ix_zen_cache_entries_attempt", "zen_cache_entries", ("attempt_id",), ""),
    ("ix_zen_links_external", "zen_links", ("external_id", "tracker"), ""),
)


def upgrade() -> None:
    """Add a column, whose default is right for what older versions write, and indexes."""
    op.add_column("zen_outbox", sa.Column("projection", sa.Text(), nullable=False, server_default="mlflow"))
    op.drop_index("ix_zen_outbox_pending", table_name="zen_outbox")
    for name, table, columns, condition in _INDEXES:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Remove them."""
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_column("zen_outbox", "projection")
    op.create_index("ix_zen_outbox_pending", "zen_outbox", ["done_at", "outbox_id"])
