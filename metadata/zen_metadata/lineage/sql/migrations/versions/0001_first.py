"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "zen_applied_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_zen_applied_events")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_artifact_names",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", "pipeline", "name", name=op.f("pk_zen_artifact_names")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_artifacts",
        sa.Column("artifact_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("stored_digest", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("serializer", sa.Text(), nullable=False),
        sa.Column("serializer_version", sa.Integer(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("has_inline_value", sa.Boolean(), nullable=False),
        sa.Column("inline_value", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("step_run_id", sa.Text(), nullable=True),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_by", sa.Text(), nullable=True),
        sa.Column("deleted_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("artifact_id", name=op.f("pk_zen_artifacts")),
        sa.UniqueConstraint("project", "name", "pipeline", "version", name=op.f("uq_zen_artifacts_project")),
    )
    op.create_table(
        "zen_code_bundles",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "digest", name=op.f("pk_zen_code_bundles")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_environments",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "digest", name=op.f("pk_zen_environments")),
    )
    op.create_table(
        "zen_file_digests",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_zen_file_digests")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_irs",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "digest", name=op.f("pk_zen_irs")),
    )
    op.create_table(
        "zen_leases",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("cache_key", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("step_run_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("project", "cache_key", name=op.f("pk_zen_leases")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_links",
        sa.Column("tracker", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("claimant", sa.Text(), nullable=True),
        sa.Column("claim_expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tracker", "subject_id", name=op.f("pk_zen_links")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_outbox",
        sa.Column(
            "outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("step_run_id", sa.Text(), nullable=True),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_zen_outbox")),
    )
    op.create_index("ix_zen_outbox_pending", "zen_outbox", ["done_at", "outbox_id"], unique=False)
    op.create_table(
        "zen_runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("orchestrator", sa.Text(), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False),
        sa.Column("ir_digest", sa.Text(), nullable=False),
        sa.Column("code_digest", sa.Text(), nullable=False),
        sa.Column("zen_version", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_status", sa.Text(), nullable=True),
        sa.Column("run_url", sa.Text(), nullable=False),
        sa.Column("parent_run_id", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_zen_runs")),
    )
    op.create_index("ix_zen_runs_pipeline", "zen_runs", ["project", "pipeline", "started_at"], unique=False)
    op.create_index("ix_zen_runs_project", "zen_runs", ["project", "started_at"], unique=False)
    op.create_index("ix_zen_runs_started", "zen_runs", ["started_at"], unique=False)
    op.create_table(
        "zen_step_runs",
        sa.Column("step_run_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("step_run_id", name=op.f("pk_zen_step_runs")),
        sa.UniqueConstraint("run_id", "step", "map_index", name=op.f("uq_zen_step_runs_run_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_attempts",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("step_run_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("ir_digest", sa.Text(), nullable=False),
        sa.Column("code_digest", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("cache_enabled", sa.Boolean(), nullable=False),
        sa.Column("cache_key", sa.Text(), nullable=False),
        sa.Column("key_parts", sa.Text(), nullable=False),
        sa.Column("max_age_seconds", sa.Float(), nullable=True),
        sa.Column("environment_digest", sa.Text(), nullable=False),
        sa.Column("log_url", sa.Text(), nullable=False),
        sa.Column("log_location", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), nullable=True),
        sa.Column("reused_attempt_id", sa.Text(), nullable=True),
        sa.Column("mlflow_run_id", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_traceback", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["step_run_id"], ["zen_step_runs.step_run_id"], name=op.f("fk_zen_attempts_step_run_id")
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_zen_attempts")),
        sa.UniqueConstraint("step_run_id", "number", name=op.f("uq_zen_attempts_step_run_id")),
    )
    op.create_table(
        "zen_attempt_inputs",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("port", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["zen_attempts.attempt_id"], name=op.f("fk_zen_attempt_inputs_attempt_id")
        ),
        sa.PrimaryKeyConstraint("attempt_id", "port", "path", name=op.f("pk_zen_attempt_inputs")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_zen_attempt_inputs_artifact", "zen_attempt_inputs", ["artifact_id"], unique=False)
    op.create_table(
        "zen_attempt_outputs",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["zen_attempts.attempt_id"], name=op.f("fk_zen_attempt_outputs_attempt_id")
        ),
        sa.PrimaryKeyConstraint("attempt_id", "output", name=op.f("pk_zen_attempt_outputs")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_zen_attempt_outputs_artifact", "zen_attempt_outputs", ["artifact_id"], unique=False)
    op.create_table(
        "zen_cache_entries",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("cache_key", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("step_run_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("nondeterministic", sa.Boolean(), nullable=False),
        sa.Column("invalidated_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["zen_attempts.attempt_id"], name=op.f("fk_zen_cache_entries_attempt_id")
        ),
        sa.PrimaryKeyConstraint("project", "cache_key", name=op.f("pk_zen_cache_entries")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_metrics",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("step", sa.BigInteger(), nullable=True),
        sa.Column("logged_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["zen_attempts.attempt_id"], name=op.f("fk_zen_metrics_attempt_id")),
        sa.PrimaryKeyConstraint("attempt_id", "position", name=op.f("pk_zen_metrics")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zen_params",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["zen_attempts.attempt_id"], name=op.f("fk_zen_params_attempt_id")),
        sa.PrimaryKeyConstraint("attempt_id", "name", name=op.f("pk_zen_params")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Remove all tables, with what is in them."""
    op.drop_table("zen_params")
    op.drop_table("zen_metrics")
    op.drop_table("zen_cache_entries")
    op.drop_table("zen_attempt_outputs")
    op.drop_table("zen_attempt_inputs")
    op.drop_table("zen_attempts")
    op.drop_table("zen_step_runs")
    op.drop_table("zen_runs")
    op.drop_table("zen_outbox")
    op.drop_table("zen_links")
    op.drop_table("zen_leases")
    op.drop_table("zen_irs")
    op.drop_table("zen_file_digests")
    op.drop_table("zen_environments")
    op.drop_table("zen_code_bundles")
    op.drop_table("zen_artifacts")
    op.drop_table("zen_artifact_names")
    op.drop_table("zen_applied_events")
