"""The database's time, so that hosts whose clocks differ agree on leases, heartbeats and ages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, cast, extract, func, select, type_coerce

from zen_metadata.lineage.sql.statements import Statement
from zen_metadata.lineage.sql.tables import UtcTimestamp

_NOW = Statement(
    select(
        type_coerce(cast(extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger), UtcTimestamp).label("now")
    )
)


def read_clock(cursor: Any, dialect: Any) -> datetime:
    """The present time, from the database's server; a SQLite file serves one host, whose clock is the database's."""
    if dialect.name == "sqlite":
        return datetime.now(UTC)
    compiled = _NOW.compiled_for(dialect)
    cursor.execute(compiled.sql, compiled.parameters({}))
    now: datetime = compiled.to_rows(cursor.fetchall())[0].now
    return now
