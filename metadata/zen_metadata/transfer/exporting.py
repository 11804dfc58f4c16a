"""Writing an export: one moment of a store, whatever is written to it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Text, collate, func, select
from sqlalchemy.engine import Connection

from zen_core.errors import NotFoundError, StoreError
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.failures import explained
from zen_metadata.lineage.sql.schema import prepare, read_version
from zen_metadata.transfer.document import PLAIN_TABLES, TABLES, ExportWriter, columns_of_row
from zen_metadata.transfer.selecting import Chosen, Selection

_FETCHED_AT_ONCE = 2000
_ORDER = {"outbox": ("created_at", "run_id", "event", "attempt_id", "projection")}
"""The order of tables whose key is not carried over."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        rows: how many of each table.
        size_bytes: of the file.
        sha256: the checksum of its lines, as the last one says it.
    """

    rows: Mapping[str, int]
    size_bytes: int
    sha256: str


def export_store(
    url: str, path: Path, selection: Selection, on_progress: Callable[[str, int], None] = lambda table, count: None
) -> Exported:
    """Write what the selection names to a file, which is there when it is whole and not before.

    Args:
        url: the lineage store.
        on_progress: told, now and then, the table and how many rows were written.

    Raises:
        NotFoundError: nothing is there that was asked for.
        StoreError: there is no store, it cannot be reached, or the file cannot be written.
        SchemaVersionError: the store is not one for this version of Zen.
    """
    engine = make_engine(url)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with explained(engine):
            prepare(engine, create=False)
            with unfinished.open("wb") as file:
                writer = ExportWriter(file)
                with engine.connect() as connection:
                    _write(connection, writer, selection, on_progress)
                digest = writer.end()
                file.flush()
                os.fsync(file.fileno())
        os.replace(unfinished, path)
        return Exported(dict(writer.rows), path.stat().st_size, digest)
    except OSError as error:
        raise StoreError(
            f"the export {path} cannot be written",
            why=os.strerror(error.errno or 0),
            hint="name a file in a folder where there is room and where this user may write",
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        engine.dispose()


def _write(
    connection: Connection, writer: ExportWriter, selection: Selection, on_progress: Callable[[str, int], None]
) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN" if is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        version = read_version(connection)
        assert version is not None, "it was looked at just now"
        writer.begin(version.revision, selection.to_json())
        filters = Chosen(connection, selection).filters()
        for name in TABLES:
            for row in _rows(connection, name, filters[name]):
                writer.write(name, row)
                if writer.rows[name] % _FETCHED_AT_ONCE == 0:
                    on_progress(name, writer.rows.total())
        on_progress("", writer.rows.total())
        if not writer.rows["runs"] and not (selection.is_whole and writer.rows):
            raise _nothing(selection)
    finally:
        connection.exec_driver_sql("ROLLBACK")  # the temporary tables go
        connection.rollback()


def _rows(connection: Connection, name: str, wanted: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of a table in their order, fetched by and by."""
    table = PLAIN_TABLES[name]
    columns = columns_of_row(name)
    order = [table.c[key] for key in _ORDER.get(name, ())] or list(table.primary_key.columns)
    query = select(*columns).where(wanted).order_by(*(_by_code_point(connection, column) for column in order))
    names = [column.name for column in columns]
    for values in _fetch(connection, query):
        yield dict(zip(names, values, strict=True))


def _by_code_point(connection: Connection, column: Any) -> Any:
    """An order that does not depend on the database's language, with NULL as the empty text."""
    if not isinstance(column.type, Text):
        return column
    filled = func.coalesce(column, "") if column.nullable else column
    return filled if connection.dialect.name == "sqlite" else collate(filled, "C")


def _fetch(connection: Connection, query: Any) -> Iterator[Any]:
    if connection.dialect.name == "sqlite":
        yield from connection.execution_options(stream_results=True).execute(query)
        return
    # A cursor of the server: drivers fetch the whole answer otherwise.
    text = str(query.compile(connection, compile_kwargs={"literal_binds": True})).replace("%%", "%")
    connection.exec_driver_sql(f"DECLARE zen_export NO SCROLL CURSOR FOR {text}".replace("%", "%%"))
    while rows := connection.exec_driver_sql(f"FETCH {_FETCHED_AT_ONCE} FROM zen_export").all():
        yield from rows
    connection.exec_driver_sql("CLOSE zen_export")


def _nothing(selection: Selection) -> NotFoundError:
    asked = [
        f"project {', '.join(selection.projects)}" if selection.projects else "",
        f"pipeline {', '.join(selection.pipelines)}" if selection.pipelines else "",
        f"since {selection.since:%Y-%m-%d %H:%M:%S}" if selection.since else "",
    ]
    return NotFoundError(
        f"there is nothing to export: {', '.join(filter(None, asked)) or 'the store has no records'}",
        hint="zen runs lists what there is; --all-projects exports everything",
    )
