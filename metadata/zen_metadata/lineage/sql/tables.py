"""The lineage store's tables, and the three column types that they need.

Everything is stored in types that SQLite and PostgreSQL treat alike: text, integers, floats. Names begin with `zen_`,
so that the store may share a database with MLflow or an orchestrator. Rows are only ever added and completed; what
is deleted on purpose becomes a tombstone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
NO_INDEX = -1
"""Stands for "not mapped" in `map_index`, since two NULLs would not count as equal in a unique key."""


class UtcTimestamp(TypeDecorator):  # type: ignore[misc]
    """An aware datetime, stored as microseconds since 1970 in UTC. Refuses naive datetimes with ValueError."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """Microseconds since 1970."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value.isoformat()} has no time zone; the lineage store takes aware datetimes only")
        if type(value) is not datetime:  # a subclass, such as pendulum's, whose arithmetic is its own
            value = datetime.fromisoformat(value.isoformat())
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """The datetime in UTC."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator):  # type: ignore[misc]
    """A JSON value as text; Python's None is SQL's NULL. Written once and never searched, so no native JSON type."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """JSON without spaces, ASCII only."""
        return None if value is None else json.dumps(value, separators=(",", ":"), default=_plain)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        """The value."""
        return None if value is None else json.loads(value)


class TextTuple(Json):
    """A tuple of texts."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Any) -> tuple[str, ...]:
        """The texts."""
        return () if value is None else tuple(json.loads(value))


class ForeignText(TypeDecorator):  # type: ignore[misc]
    """Text from outside, such as an exception's message: what databases refuse (NUL, half a surrogate) is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """The text in a form that can be stored."""
        if value is None:
            return None
        if "\x00" in value:
            value = value.replace("\x00", "\ufffd")
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


TABLE_PREFIX = "zen_"
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _table(name: str, *items: Any, clustered: bool = False) -> Table:
    """A table. `clustered`: narrow rows that SQLite keeps in the primary key itself, which saves an index."""
    return Table(f"{TABLE_PREFIX}{name}", metadata, *items, sqlite_with_rowid=not clustered)


def _key(name: str, *items: Any) -> Column[Any]:
    return Column(name, Text, *items, primary_key=True)


def _text(name: str, *items: Any, optional: bool = False) -> Column[Any]:
    return Column(name, Text, *items, nullable=optional)


def _time(name: str, *, optional: bool = True) -> Column[Any]:
    return Column(name, UtcTimestamp, nullable=optional)


# -- documents, once per content -----------------------------------------------------------------------------------

irs = _table(
    "irs",
    _key("project"),
    _key("digest"),
    Column("document", Json, nullable=False),
    _time("created_at", optional=False),
)
environments = _table(
    "environments",
    _key("project"),
    _key("digest"),
    Column("snapshot", Json, nullable=False),
    _time("created_at", optional=False),
)
code_bundles = _table(
    "code_bundles",
    _key("project"),
    _key("digest"),
    _time("created_at", optional=False),
    Column("left_out", Json, nullable=True),  # files of the project that the bundle lacks, with the reason of each
    clustered=True,
)
codes = _table(
    "codes",
    _key("project"),
    _key("digest"),
    Column("document", Json, nullable=False),
    _time("created_at", optional=False),
)

# -- runs, step runs, attempts -------------------------------------------------------------------------------------

runs = _table(
    "runs",
    _key("run_id"),
    _text("project"),
    _text("pipeline"),
    _text("deployment"),
    _text("orchestrator"),
    _text("run_key"),
    _text("ir_digest"),
    _text("code_digest"),
    _text("zen_version"),
    Column("parameters", Json, nullable=False),
    Column("tags", TextTuple, nullable=False),
    _time("scheduled_at"),
    _time("started_at", optional=False),
    _time("ended_at"),
    _text("closed_status", optional=True),
    _text("run_url"),
    _text("parent_run_id", optional=True),
    Column("engine", Json, nullable=False),
    Index("ix_zen_runs_pipeline", "project", "pipeline", "started_at"),
    Index("ix_zen_runs_project", "project", "started_at"),
    Index("ix_zen_runs_started", "started_at"),
)

# No foreign key to the run: where the store was away, the run may arrive later than its steps.
step_runs = _table(
    "step_runs",
    _key("step_run_id"),
    _text("project"),
    _text("run_id"),
    _text("step"),
    Column("map_index", Integer, nullable=False),
    _text("kind"),
    UniqueConstraint("run_id", "step", "map_index"),
    clustered=True,
)

attempts = _table(
    "attempts",
    _key("attempt_id"),
    _text("step_run_id", ForeignKey(step_runs.c.step_run_id)),
    _text("project"),
    Column("number", Integer, nullable=False),
    _text("status"),
    _text("ir_digest"),
    _text("code_digest"),
    _text("fingerprint"),
    Column("cache_enabled", Boolean, nullable=False),
    _text("cache_key"),
    Column("key_parts", Json, nullable=False),
    Column("max_age_seconds", Float, nullable=True),
    _text("environment_digest"),
    _text("log_url"),
    _text("log_location"),
    Column("engine", Json, nullable=False),
    _time("started_at", optional=False),
    _time("heartbeat_at", optional=False),
    _time("ended_at"),
    Column("lease_token", BigInteger, nullable=True),
    _text("reused_attempt_id", optional=True),
    _text("mlflow_run_id", optional=True),
    Column("error_type", ForeignText, nullable=True),
    Column("error_message", ForeignText, nullable=True),
    Column("error_traceback", ForeignText, nullable=True),
    _text("cache_reason", optional=True),
    UniqueConstraint("step_run_id", "number"),
    Index("ix_zen_attempts_started", "project", "started_at"),
    Index("ix_zen_attempts_reused", "reused_attempt_id"),
)


def _attempt_key() -> Column[Any]:
    return _key("attempt_id", ForeignKey(attempts.c.attempt_id))


# -- artifacts and edges -------------------------------------------------------------------------------------------

artifacts = _table(
    "artifacts",
    _key("artifact_id"),
    _text("project"),
    _text("pipeline"),
    _text("name"),
    _text("digest"),
    _text("stored_digest"),
    _text("type"),
    _text("serializer"),
    Column("serializer_version", Integer, nullable=False),
    _text("location"),
    Column("size_bytes", BigInteger, nullable=False),
    _text("kind"),
    Column("has_inline_value", Boolean, nullable=False),
    Column("inline_value", Json, nullable=True),
    Column("metadata", Json, nullable=False),
    _text("step_run_id", optional=True),
    _text("attempt_id", optional=True),
    Column("version", Integer, nullable=True),
    _time("created_at", optional=False),
    _time("deleted_at"),
    _text("deleted_by", optional=True),
    _text("deleted_reason", optional=True),
    # The name comes first, so that short names are found without their pipeline.
    UniqueConstraint("project", "name", "pipeline", "version"),
    Index("ix_zen_artifacts_created", "project", "kind", "created_at"),
)
artifact_names = _table(
    "artifact_names",
    _key("project"),
    _key("pipeline"),
    _key("name"),
    Column("last_version", Integer, nullable=False),
    Index("ix_zen_artifact_names_name", "project", "name", "pipeline"),
    clustered=True,
)

# The latest row of a name says which version stands for it, until a version later than `last_version` is made.
rollbacks = _table(
    "rollbacks",
    _key("project"),
    _key("pipeline"),
    _key("name"),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),
    _time("moved_at", optional=False),
    _text("moved_by"),
    _text("reason"),
    clustered=True,
)

# No foreign keys to artifacts: an input may name one whose record is still in a spool.
attempt_inputs = _table(
    "attempt_inputs",
    _attempt_key(),
    _key("port"),
    _key("path"),
    _text("project"),
    _text("digest"),
    _text("artifact_id", optional=True),
    clustered=True,
)
Index("ix_zen_attempt_inputs_artifact", attempt_inputs.c.artifact_id)
attempt_outputs = _table(
    "attempt_outputs",
    _attempt_key(),
    _key("output"),
    _text("project"),
    _text("digest"),
    _text("artifact_id"),
    clustered=True,
)
Index("ix_zen_attempt_outputs_artifact", attempt_outputs.c.artifact_id)

metrics = _table(
    "metrics",
    _attempt_key(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _text("project"),
    Column("name", ForeignText, nullable=False),
    Column("value", Float, nullable=True),  # NULL is NaN, which SQLite has not
    Column("step", BigInteger, nullable=True),
    _time("logged_at", optional=False),
    clustered=True,
)
params = _table(
    "params",
    _attempt_key(),
    Column("name", ForeignText, primary_key=True),
    _text("project"),
    Column("value", Json, nullable=False),
    clustered=True,
)

# -- cache ---------------------------------------------------------------------------------------------------------

cache_entries = _table(
    "cache_entries",
    _key("project"),
    _key("cache_key"),
    _text("attempt_id", ForeignKey(attempts.c.attempt_id)),
    _text("step_run_id"),
    _text("run_id"),
    _time("created_at", optional=False),
    Column("nondeterministic", Boolean, nullable=False),
    _time("invalidated_at"),
    Index("ix_zen_cache_entries_created", "project", "created_at"),
    Index("ix_zen_cache_entries_attempt", "attempt_id"),  # else each attempt that is deleted would read all entries
    clustered=True,
)
leases = _table(
    "leases",
    _key("project"),
    _key("cache_key"),
    Column("token", BigInteger, nullable=False),
    _text("attempt_id"),
    _text("step_run_id"),
    _time("expires_at", optional=False),
    _time("released_at"),
    clustered=True,
)

# -- projections, replay, memory -----------------------------------------------------------------------------------

outbox = _table(
    "outbox",
    Column("outbox_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _text("project"),
    _text("event"),
    _text("run_id"),
    _text("step_run_id", optional=True),
    _text("attempt_id", optional=True),
    _time("created_at", optional=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", ForeignText, nullable=True),
    _time("done_at"),
    Column("projection", Text, nullable=False, server_default="mlflow"),
)
Index("ix_zen_outbox_pending", outbox.c.projection, outbox.c.outbox_id)
Index("ix_zen_outbox_run", outbox.c.run_id, outbox.c.projection, outbox.c.outbox_id)
# What stands for what: an MLflow run for a run or an attempt, a version for the name by which a run calls an artifact.
links = _table(
    "links",
    _key("tracker"),
    _key("subject_id"),
    _text("external_id", optional=True),
    _text("claimant", optional=True),
    _time("claim_expires_at"),
    Index("ix_zen_links_external", "external_id", "tracker"),
    clustered=True,
)
applied_events = _table("applied_events", _key("event_id"), _time("applied_at", optional=False), clustered=True)
file_digests = _table("file_digests", _key("url"), _text("version"), _text("digest"), clustered=True)

# -- indexes of a part of a table ----------------------------------------------------------------------------------

_PARTIAL_INDEXES = {
    # An executed attempt has none, and pays nothing for the index.
    "ix_zen_attempts_reused": attempts.c.reused_attempt_id.is_not(None),
    # Of what is pending alone: they stay small however long the history grows.
    "ix_zen_outbox_pending": outbox.c.done_at.is_(None),
    "ix_zen_outbox_run": outbox.c.done_at.is_(None),
}


def complete(dialect_name: str) -> MetaData:
    """The tables with the conditions of their partial indexes, for whoever makes or compares tables.

    They are not declared with the tables: SQLAlchemy imports a dialect, with all its drivers, for a condition in its
    name, and each process of a step would pay for a dialect that it does not use.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            if index.name in _PARTIAL_INDEXES:
                index.dialect_kwargs[f"{dialect_name}_where"] = _PARTIAL_INDEXES[index.name]
    return metadata
