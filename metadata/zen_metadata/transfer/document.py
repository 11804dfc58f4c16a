"""The document of an export: JSON Lines in gzip, in a defined order, with a checksum at the end.

The first line says what it is: `{"zen_export": 1, "schema": "0003", "selection": {…}}`. Every further line is a row:
`{"runs": {"run_id": …}}`, the table's name without its prefix and the columns that are not null, as the store keeps
them: times in microseconds since 1970, JSON as text. Tables come in the order of `TABLES`, rows in the order of their
keys by code point. The last line counts the rows and has the SHA-256 of all lines before it:
`{"end": {"rows": {…}, "sha256": "…"}}`. Nothing in it depends on the machine, the clock or the database.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, Table
from sqlalchemy.types import TypeDecorator

from zen_core.errors import ExportError, StoreError
from zen_metadata.lineage.sql.tables import TABLE_PREFIX, Json, metadata

VERSION = 1
_KIND = "zen_export"
TABLES = (
    *("irs", "environments", "code_bundles", "codes", "runs", "step_runs", "attempts", "artifacts", "artifact_names"),
    *("rollbacks", "attempt_inputs", "attempt_outputs", "metrics", "params", "cache_entries", "links"),
    *("applied_events", "outbox"),
)
"""What is carried over, in an order in which every row comes after those that it refers to."""
LEFT_OUT = frozenset({"leases", "file_digests"})
"""What belongs to the moment and the machine: who runs what just now, and what is remembered of files."""
_GZIP_LEVEL = 6
_GZIP_START = b"\x1f\x8b"
_LONGEST_LINE = 256 * 2**20
_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


def _plain_table(name: str) -> Table:
    """The table with plain column types: an export carries what is stored, not what it stands for."""
    columns = []
    for column in metadata.tables[f"{TABLE_PREFIX}{name}"].columns:
        kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
        columns.append(Column(column.name, kind, primary_key=column.primary_key, nullable=column.nullable))
    return Table(f"{TABLE_PREFIX}{name}", _PLAIN, *columns)


_PLAIN = MetaData()
PLAIN_TABLES: Mapping[str, Table] = {name: _plain_table(name) for name in TABLES}
NUMBERED_COLUMNS = {"outbox": frozenset({"outbox_id"})}
"""What the store counts by itself, which is not carried over."""


def columns_of_row(name: str) -> list[Column[Any]]:
    """The columns of a table that are carried over."""
    return [column for column in PLAIN_TABLES[name].columns if column.name not in NUMBERED_COLUMNS.get(name, ())]


# -- writing -------------------------------------------------------------------------------------------------------


class ExportWriter:
    """Writes a document. Call `begin`, `write` for every row, `end`.

    Args:
        file: where the compressed bytes go.
    """

    def __init__(self, file: IO[bytes]) -> None:
        # Without a name and a time, so that the same rows give the same bytes.
        self._stream = gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_GZIP_LEVEL, mtime=0)
        self._hash = hashlib.sha256()
        self.rows: Counter[str] = Counter()

    def begin(self, schema: str, selection: Mapping[str, Any]) -> None:
        """Write the first line."""
        self._write({_KIND: VERSION, "schema": schema, "selection": dict(selection)})

    def write(self, table: str, row: Mapping[str, Any]) -> None:
        """Write a row."""
        self._write({table: {name: _to_document(value) for name, value in row.items() if value is not None}})
        self.rows[table] += 1

    def end(self) -> str:
        """Write the last line; answer the checksum."""
        digest = self._hash.hexdigest()
        rows = {table: self.rows[table] for table in TABLES if self.rows[table]}
        self._write({"end": {"rows": rows, "sha256": digest}})
        self._stream.close()
        return digest

    def _write(self, document: Mapping[str, Any]) -> None:
        line = json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        self._hash.update(line)
        self._stream.write(line)


def _to_document(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):  # which JSON has not
        return "Infinity" if value > 0 else "-Infinity"
    return value


# -- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One row of a document: its table's name without prefix, and all of its columns."""

    table: str
    values: Mapping[str, Any]
    line: int


def read_rows(path: Path, on_progress: Callable[[int], None] = lambda position: None) -> Iterator[ExportRow]:
    """The rows of a document, checked one by one: form, order, types; at the end their number and the checksum.

    Args:
        on_progress: told how many bytes of the file were read.

    Raises:
        ExportError: it is no export, of another version, damaged or cut short.
    """
    with _open(path) as file:
        started = file.read(2)
        file.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if started == _GZIP_START else file  # type: ignore[assignment]
        try:
            for row in _Reader(path).read(stream):
                yield row
                if row.line % 1000 == 0:
                    on_progress(file.tell())
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise damaged(path, f"the file is cut short or damaged: {error}") from error
        on_progress(file.tell())


def damaged(path: Path, what: str, line: int | None = None) -> ExportError:
    """A document that cannot be taken."""
    return ExportError(
        f"{path} is no whole export: {what}",
        where=f"{path}:{line}" if line else str(path),
        hint="copy it again, or write it anew: zen store export FILE. Nothing was imported",
    )


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise StoreError(f"{path} cannot be read", why=error.strerror or "", hint="correct the path") from error


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._rows: Counter[str] = Counter()
        self._position = 0
        self._line = 0
        self._checks = {name: _RowCheck(name) for name in TABLES}

    def read(self, stream: IO[bytes]) -> Iterator[ExportRow]:
        self._read_header(self._parse(stream.readline(_LONGEST_LINE)))
        while True:
            line = stream.readline(_LONGEST_LINE)
            digest = self._hash.hexdigest() if line.startswith(b'{"end"') else ""
            document = self._parse(line)
            [(name, content)] = document.items()
            if name == "end" and digest:
                self._read_end(content, digest)
                if stream.readline(1):
                    raise damaged(self._path, "something follows its last line", self._line + 1)
                return
            yield self._row(name, content)

    def _parse(self, line: bytes) -> dict[str, Any]:
        self._line += 1
        if not line.endswith(b"\n"):
            raise damaged(self._path, "it is cut short" if self._line > 1 else "it is not one", self._line)
        self._hash.update(line)
        try:
            document = json.loads(line)
        except ValueError as error:
            raise damaged(self._path, f"a line is not JSON: {error}", self._line) from error
        if not isinstance(document, dict) or (self._line > 1 and len(document) != 1):
            raise damaged(self._path, "a line is not an object with one key", self._line)
        return document

    def _read_header(self, header: Mapping[str, Any]) -> None:
        version = header.get(_KIND)
        if version is None:
            raise damaged(self._path, f"its first line does not say {_KIND}", 1)
        if version != VERSION:
            raise ExportError(
                f"{self._path} is an export of version {version!r}, and this Zen reads version {VERSION}",
                where=str(self._path),
                why=f"a Zen with schema {header.get('schema')} wrote it",
                hint="import it with the zen-core that wrote it, or a newer one",
            )

    def _row(self, name: str, content: Any) -> ExportRow:
        if name not in self._checks or not isinstance(content, dict):
            raise damaged(self._path, f"it has rows of {name!r}, which this version does not know", self._line)
        position = TABLES.index(name)
        if position < self._position:
            raise damaged(self._path, f"rows of {name} come after those of {TABLES[self._position]}", self._line)
        self._position = position
        self._rows[name] += 1
        try:
            return ExportRow(name, self._checks[name].complete(content), self._line)
        except ValueError as error:
            raise damaged(self._path, f"a row of {name} {error}", self._line) from error

    def _read_end(self, content: Any, digest: str) -> None:
        if not isinstance(content, dict) or content.get("sha256") != digest:
            raise damaged(self._path, "its checksum does not fit what it holds", self._line)
        if content.get("rows") != {table: self._rows[table] for table in TABLES if self._rows[table]}:
            raise damaged(self._path, "it does not have as many rows as it says", self._line)


class _RowCheck:
    """Whether a row has the columns of its table, each of its type."""

    def __init__(self, name: str) -> None:
        self._columns = columns_of_row(name)
        self._names = frozenset(column.name for column in self._columns)
        self._checks = {column.name: _check_of(column) for column in self._columns}
        typed = metadata.tables[f"{TABLE_PREFIX}{name}"].c
        self._documents = [column.name for column in self._columns if isinstance(typed[column.name].type, Json)]

    def complete(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row with all columns. Raises ValueError."""
        if not row.keys() <= self._names:
            raise ValueError(
                f"has columns that this version does not know: {', '.join(sorted(row.keys() - self._names))}"
            )
        values: dict[str, Any] = {}
        for column in self._columns:
            value = row.get(column.name)
            if value is None and not column.nullable:
                raise ValueError(f"has no {column.name}")
            values[column.name] = None if value is None else self._checks[column.name](value)
        for name in self._documents:
            if (text := values[name]) is not None:
                json.loads(text)
        return values


def _check_of(column: Column[Any]) -> Callable[[Any], Any]:
    def refuse(value: Any) -> ValueError:
        return ValueError(f"has {value!r:.60} as its {column.name}")

    def text(value: Any) -> Any:
        if not isinstance(value, str) or "\x00" in value:
            raise refuse(value)
        if not value.isascii():
            value.encode()  # half a surrogate is a ValueError too
        return value

    def whole(value: Any) -> Any:
        if type(value) is not int or not -limit <= value < limit:
            raise refuse(value)
        return value

    def boolean(value: Any) -> Any:
        if not isinstance(value, bool):
            raise refuse(value)
        return value

    def number(value: Any) -> Any:
        if isinstance(value, str) and value in _INFINITIES:
            return _INFINITIES[value]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise refuse(value)
        return float(value)

    limit = 2**63 if isinstance(column.type, BigInteger) else 2**31
    for kind, check in ((Boolean, boolean), (Integer, whole), (Float, number)):  # BigInteger is an Integer
        if isinstance(column.type, kind):
            return check
    return text
