"""Reading an export into a store: what is there stays, what is missing is added, what went on is brought forward.

The document is read twice. The first time every line is checked, and whether the store has room for it; nothing is
written. The second time its rows are written in short transactions, so that steps may run meanwhile. Every row is
written by its key, so an import that was interrupted, or that is done twice, ends in the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from sqlalchemy import and_, bindparam, case, func, not_, or_, select
from sqlalchemy.engine import Connection

from zen_core.errors import ExportError
from zen_metadata.lineage.sql.database import Database
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.failures import explained
from zen_metadata.lineage.sql.schema import prepare
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.transaction import Transaction
from zen_metadata.transfer.document import PLAIN_TABLES, TABLES, ExportRow, columns_of_row, read_rows

_WRITTEN_AT_ONCE = 500
_ASKED_AT_ONCE = 200
_TOLD_CONFLICTS = 10
_OWN_KEY = frozenset({"attempt_id", "step_run_id", "project", "number"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        rows: how many rows of each table the document has.
        changed: how many of them were added or brought forward; the others were there already.
    """

    rows: Mapping[str, int]
    changed: Mapping[str, int]


def import_store(
    url: str, path: Path, on_progress: Callable[[str, int], None] = lambda phase, position: None
) -> Imported:
    """Read the export at `path` into the store at `url`, which is made where there is none.

    Args:
        on_progress: told the phase, `checking` or `importing`, and how many bytes of the file were read in it.

    Raises:
        ExportError: the document cannot be taken, or what it has is in the store as something else.
        StoreError: the store cannot be reached, or refuses.
        SchemaVersionError: the store is not one for this version of Zen.
    """
    engine = make_engine(url)
    rows: Counter[str] = Counter()
    with closing(Database(engine, partial(prepare, create=True))) as database:
        database.read(lambda work: work.now())  # makes the store, or refuses, before anything is read
        with explained(engine), engine.connect() as connection:
            conflicts = _Conflicts(connection)
            for row in read_rows(path, partial(on_progress, "checking")):
                rows[row.table] += 1
                conflicts.look_at(row)
            conflicts.end(path)
        changed: Counter[str] = Counter()
        for name, batch in _batches(read_rows(path, partial(on_progress, "importing"))):
            changed[name] += database.write(partial(_WRITERS[name], values=batch))
    return Imported(_in_order(rows), _in_order(changed))


def _in_order(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in TABLES if counts[name]}


def _batches(rows: Iterator[ExportRow]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for name, group in groupby(rows, key=lambda row: row.table):
        values = (row.values for row in group)
        while batch := list(islice(values, _WRITTEN_AT_ONCE)):
            yield name, batch


# -- what the store has as something else --------------------------------------------------------------------------


class _Conflicts:
    """Finds rows whose other key is another row's: a version of a name, the number of an attempt."""

    _KEYS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
        "artifacts": ("artifact_id", ("project", "name", "pipeline", "version"), "version"),
        "attempts": ("attempt_id", ("step_run_id", "number"), "number"),
        "step_runs": ("step_run_id", ("run_id", "step", "map_index"), "map_index"),
    }

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in self._KEYS}
        self._queries = {name: _rows_of(name, identity, key) for name, (identity, key, _) in self._KEYS.items()}
        self._count = 0
        self._told: list[str] = []

    def look_at(self, row: ExportRow) -> None:
        """Look whether a row fits, in batches."""
        if row.table not in self._KEYS or row.values[self._KEYS[row.table][2]] is None:
            return
        waiting = self._waiting[row.table]
        waiting.append(row.values)
        if len(waiting) == _ASKED_AT_ONCE:
            self._ask(row.table)

    def end(self, path: Path) -> None:
        """Look at the rest. Raises ExportError with what does not fit."""
        for name in self._KEYS:
            self._ask(name)
        if self._count:
            more = f" and {self._count - len(self._told)} more" if self._count > len(self._told) else ""
            raise ExportError(
                f"{self._count} rows of {path} are something else in the store",
                where=str(path),
                why=", ".join(self._told) + more,
                hint=(
                    "both stores went on by themselves after they had parted: import into an empty store, or give one "
                    "of them another project. Nothing was imported"
                ),
            )

    def _ask(self, name: str) -> None:
        identity, key, _ = self._KEYS[name]
        waiting, self._waiting[name] = self._waiting[name], []
        if not waiting:
            return
        wanted = {tuple(row[column] for column in key): row for row in waiting}
        listed = list(wanted)
        listed += listed[-1:] * (_ASKED_AT_ONCE - len(listed))
        values = {_parameter(column, i): row[k] for i, row in enumerate(listed) for k, column in enumerate(key)}
        found = self._connection.execute(self._queries[name], values).all()
        for own, *theirs in found:
            row = wanted[tuple(theirs)]
            if row[identity] != own:
                self._count += 1
                if len(self._told) < _TOLD_CONFLICTS:
                    self._told.append(_described(name, row))


def _rows_of(name: str, identity: str, key: Sequence[str]) -> Any:
    """A select of the rows that have one of so many keys.

    Not by `(a, b) IN ((1, 2), …)`: SQLite reads the whole table for that, and uses an index for each of these.
    """
    table = PLAIN_TABLES[name]
    same = (
        and_(*(table.c[column] == bindparam(_parameter(column, i)) for column in key)) for i in range(_ASKED_AT_ONCE)
    )
    return select(table.c[identity], *(table.c[column] for column in key)).where(or_(*same))


def _parameter(column: str, number: int) -> str:
    return f"{column}_{number}"


def _described(name: str, row: Mapping[str, Any]) -> str:
    if name == "artifacts":
        return f"{row['project']}/{row['pipeline']}/{row['name']}@{row['version']} is another artifact"
    if name == "attempts":
        return f"attempt {row['number']} of step run {row['step_run_id']} is another one"
    return f"step {row['step']} of run {row['run_id']} is another one"


# -- writing -------------------------------------------------------------------------------------------------------


def _closes(table: Any, new: Any) -> Any:
    """A run was closed since; failed beats completed."""
    return or_(
        and_(table.c.closed_status.is_(None), new.closed_status.is_not(None)),
        and_(table.c.closed_status == "completed", new.closed_status == "failed"),
    )


def _ends(table: Any, new: Any) -> Any:
    """An attempt has ended since."""
    return and_(_goes_on(table.c.status), not_(_goes_on(new.status)))


def _goes_on(status: Any) -> Any:
    return or_(status == "running", status == "lost")


def _buries(table: Any, new: Any) -> Any:
    """An artifact was deleted since."""
    return and_(table.c.deleted_at.is_(None), new.deleted_at.is_not(None))


def _merge(name: str) -> Callable[[Any, Any], tuple[Mapping[str, Any], Any]] | None:
    """What a row of the document changes in the row of the same key: the columns' new values, and when."""
    ending = [column.name for column in columns_of_row("attempts") if column.name not in _OWN_KEY]
    buried = ("deleted_at", "deleted_by", "deleted_reason", "has_inline_value", "inline_value", "metadata")
    return {
        "runs": lambda table, new: (
            {"closed_status": new.closed_status, "ended_at": new.ended_at},
            _closes(table, new),
        ),
        "attempts": lambda table, new: ({column: new[column] for column in ending}, _ends(table, new)),
        "artifacts": lambda table, new: ({column: new[column] for column in buried}, _buries(table, new)),
        "artifact_names": lambda table, new: (
            {"last_version": new.last_version},
            new.last_version > table.c.last_version,
        ),
        "code_bundles": lambda table, new: (
            {"left_out": new.left_out},
            and_(table.c.left_out.is_(None), new.left_out.is_not(None)),
        ),
        "cache_entries": lambda table, new: (
            {
                "invalidated_at": func.coalesce(table.c.invalidated_at, new.invalidated_at),
                "nondeterministic": or_(table.c.nondeterministic, new.nondeterministic),
            },
            and_(
                table.c.attempt_id == new.attempt_id,
                or_(
                    and_(table.c.invalidated_at.is_(None), new.invalidated_at.is_not(None)),
                    case((new.nondeterministic, 1), else_=0) > case((table.c.nondeterministic, 1), else_=0),
                ),
            ),
        ),
        "links": lambda table, new: ({"external_id": new.external_id}, table.c.external_id.is_(None)),
    }.get(name)


def _statement(name: str) -> Statement:
    table = PLAIN_TABLES[name]
    merge = _merge(name)
    keys = list(table.primary_key.columns)

    def build(insert: Any) -> Any:
        new = insert(table)
        if merge is None:
            return new.on_conflict_do_nothing(index_elements=keys)
        values, condition = merge(table, new.excluded)
        return new.on_conflict_do_update(index_elements=keys, set_=dict(values), where=condition)

    return Statement(build, [column.name for column in columns_of_row(name)])


def _write(work: Transaction, statement: Statement, values: Sequence[Mapping[str, Any]]) -> int:
    answers = [work.ask(statement, row) for row in values]
    return sum(answer.count() for answer in answers)


_OUTBOX = PLAIN_TABLES["outbox"]
_SAME_FACT = ("event", "run_id", "attempt_id", "projection", "created_at")
_KNOWN_FACTS = ListStatement(
    lambda items: select(*(_OUTBOX.c[name] for name in _SAME_FACT)).where(_OUTBOX.c.run_id.in_(items))
)
_INSERT_FACT = Statement(lambda insert: insert(_OUTBOX), [column.name for column in columns_of_row("outbox")])


def _write_outbox(work: Transaction, values: Sequence[Mapping[str, Any]]) -> int:
    """Add the facts that the store does not know, be they waiting in it or done; they have no key of their own."""
    known = {tuple(row) for row in work.rows_in(_KNOWN_FACTS, [row["run_id"] for row in values])}
    new = [row for row in values if tuple(row[name] for name in _SAME_FACT) not in known]
    return _write(work, _INSERT_FACT, new)


def _writer(name: str) -> Callable[..., int]:
    statement = _statement(name)
    return lambda work, values: _write(work, statement, values)


_WRITERS: Mapping[str, Callable[..., int]] = {
    **{name: _writer(name) for name in TABLES if name != "outbox"},
    "outbox": _write_outbox,
}
