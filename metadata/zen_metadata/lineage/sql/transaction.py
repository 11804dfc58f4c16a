"""One transaction, as the functions that read and write see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, select, type_coerce

from zen_metadata.lineage.sql.statements import SERVER_TIME, CompiledStatement, ListStatement, Statement
from zen_metadata.lineage.sql.tables import UtcTimestamp

_NOW = type_coerce(SERVER_TIME, UtcTimestamp).label("now")
_CLOCK = Statement(select(_NOW))
# A process that stands still, or a host that is cut off, must not hold up others for ever. For this transaction only:
# behind PgBouncer the next one may have another connection.
_BEGIN = Statement(
    select(
        _NOW,
        func.set_config("lock_timeout", "30s", True).label("lock_timeout"),
        func.set_config("idle_in_transaction_session_timeout", "60s", True).label("idle_timeout"),
    )
)


class Answer:
    """What the database says to one statement. Asked for its rows or its count, it waits until that is there."""

    __slots__ = ("_compiled", "_count", "_cursor", "_found", "_pipeline")

    def __init__(self, compiled: CompiledStatement, cursor: Any, pipeline: Any) -> None:
        self._compiled = compiled
        self._cursor = cursor
        self._pipeline = pipeline
        self._found: Any = None
        self._count = -1
        if pipeline is None:  # the cursor goes on with the next statement
            self._found = cursor.fetchall() if compiled.returns_rows else None
            self._count = cursor.rowcount

    def rows(self) -> list[Any]:
        """What a select found, as named tuples."""
        if self._found is None:
            self._found = self._cursor.fetchall()
        return self._compiled.to_rows(self._found)

    def row(self) -> Any | None:
        """The first row that a select found, or None."""
        found = self.rows()
        return found[0] if found else None

    def count(self) -> int:
        """How many rows an insert or update touched."""
        if self._count < 0:
            if self._cursor.rowcount < 0:
                self._pipeline.sync()
            self._count = self._cursor.rowcount
        return self._count


class Transaction:
    """Runs statements, one after another.

    Where the driver can (psycopg 3), statements are sent without waiting for what the database says to the one before:
    a transaction then waits as often as it needs an answer, not as often as it has statements. An error of a
    statement is raised at the next answer, or at the end.

    Args:
        connection: the driver's.
        pipeline: the driver's pipeline on this connection, or None.
    """

    __slots__ = ("_clock", "_connection", "_cursor", "_dialect", "_now", "_pipeline", "abandoned")

    def __init__(self, connection: Any, dialect: Any, pipeline: Any = None) -> None:
        self._connection = connection
        self._dialect = dialect
        self._pipeline = pipeline
        self._cursor = connection.cursor()
        self._clock: Answer | None = None
        self._now: datetime | None = None
        self.abandoned = False

    def begin(self, verb: str) -> None:
        """Begin, with PostgreSQL's limits on waiting and its time."""
        self._cursor.execute(verb)
        if self._dialect.name != "sqlite":
            self._clock = self.ask(_BEGIN, {})

    def end(self) -> None:
        """Commit, or undo what was abandoned."""
        self._cursor.execute("ROLLBACK" if self.abandoned else "COMMIT")

    def ask(self, statement: Statement, values: Mapping[str, Any]) -> Answer:
        """Send a statement; what it did is the answer's to say."""
        compiled = statement.compiled_for(self._dialect)
        cursor = self._cursor if self._pipeline is None else self._connection.cursor()
        cursor.execute(compiled.sql, compiled.parameters(values))
        return Answer(compiled, cursor, self._pipeline)

    def send(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Run an insert, update or lock whose outcome does not matter, unless it is an error."""
        compiled = statement.compiled_for(self._dialect)
        self._cursor.execute(compiled.sql, compiled.parameters(values))

    def send_many(self, statement: Statement, values: Iterable[Mapping[str, Any]]) -> None:
        """Run an insert or update for each of the values."""
        compiled = statement.compiled_for(self._dialect)
        parameters = [compiled.parameters(item) for item in values]
        if self._pipeline is None and parameters:
            self._cursor.executemany(compiled.sql, parameters)
            return
        for one in parameters:
            self._cursor.execute(compiled.sql, one)

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
        """What a select finds, as named tuples."""
        return self.ask(statement, values).rows()

    def row(self, statement: Statement, values: Mapping[str, Any]) -> Any | None:
        """The first row that a select finds, or None."""
        return self.ask(statement, values).row()

    def rows_in(
        self, statement: ListStatement, items: Iterable[str], values: Mapping[str, Any] = MappingProxyType({})
    ) -> list[Any]:
        """What a select with an IN list finds, for a list of any length, each item once."""
        found = []
        for part, listed in statement.batches(list(dict.fromkeys(items))):
            found += self.rows(part, {**values, **listed})
        return found

    def lock(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Lock rows by a `select … for update`, until the transaction ends.

        What depends on the rows must be read by a statement after this one, which sees what the others committed.
        """
        # SQLite has one writer at a time, so a write transaction holds every row already.
        if self._dialect.name != "sqlite":
            self.send(statement, values)

    def read_clock(self) -> None:
        """Let `now()` be the time at this place among the statements: after a lock, say."""
        if self._dialect.name == "sqlite":  # serves one host, whose clock is the database's
            self._now = datetime.now(UTC)
        else:
            self._now, self._clock = None, self.ask(_CLOCK, {})

    def now(self) -> datetime:
        """The database's time, so that hosts whose clocks differ agree on leases, heartbeats and ages."""
        if self._now is None:
            if self._clock is None:
                self.read_clock()
            if self._clock is not None:
                row = self._clock.row()
                assert row is not None, "a clock always tells a time"
                self._now = row.now
        assert self._now is not None
        return self._now

    def own_time(self) -> datetime | None:
        """`now()` where this process's clock is the database's; None where the server is to fill in its own.

        For what a statement sets `by_clock`: asking a server for its time would be a round trip.
        """
        return self.now() if self._dialect.name == "sqlite" else None

    @property
    def answers_at_once(self) -> bool:
        """Whether each statement is answered before the next one is sent; else waiting for an answer takes time."""
        return self._pipeline is None

    def abandon(self) -> None:
        """Undo everything at the end, although nothing failed."""
        self.abandoned = True
