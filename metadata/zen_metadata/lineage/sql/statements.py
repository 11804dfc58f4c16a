"""Statements that are compiled once and then run at the price of the driver alone.

SQLAlchemy renders the SQL, orders the parameters and converts the types, once per dialect; running a compiled
statement is then a tuple of parameters and one call of the driver's cursor. Executing through a SQLAlchemy connection
instead costs some 20 µs a statement on top of SQLite's 3 µs, and a step takes about fifteen statements.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from importlib import import_module
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Table, bindparam, cast, extract, func
from sqlalchemy.types import TypeDecorator

SERVER_TIME = cast(extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
"""The time of PostgreSQL's server, in microseconds since 1970."""


class Statement:
    """A statement whose parameters are given by name when it runs.

    Args:
        clause: a select, or an insert or update whose `columns` are its parameters; or, for what dialects spell
            differently, a function from the dialect's own `insert` to the statement.
        columns: the columns that an insert or update sets; all of the table's when left out.
        by_clock: those of them that a server sets to its own time, so many microseconds later; see `own_time`.
    """

    def __init__(
        self, clause: Any, columns: Sequence[str] | None = None, by_clock: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._clause = clause
        self._columns = columns
        self._by_clock = by_clock
        self._compiled_by_driver: dict[str, CompiledStatement] = {}

    def compiled_for(self, dialect: Any) -> CompiledStatement:
        """The statement in the SQL of this dialect."""
        compiled = self._compiled_by_driver.get(dialect.driver)
        if compiled is None:
            clause = self._clause
            if callable(clause):  # imported here, since each dialect brings all its drivers along
                clause = clause(import_module(f"sqlalchemy.dialects.{dialect.name}").insert)
            if self._by_clock and dialect.name != "sqlite":
                clause = clause.values({name: SERVER_TIME + later for name, later in self._by_clock.items()})
            compiled = CompiledStatement(clause, self._columns, dialect)
            self._compiled_by_driver[dialect.driver] = compiled
        return compiled


class CompiledStatement:
    """A statement in the SQL of one dialect."""

    def __init__(self, clause: Any, columns: Sequence[str] | None, dialect: Any) -> None:
        compiled = clause.compile(dialect=dialect, column_keys=columns)
        self.sql = str(compiled)
        self._positional = compiled.positional
        self._names = tuple(compiled.positiontup if compiled.positional else compiled.binds)
        self._constants = {
            name: compiled.binds[name].value for name in self._names if not compiled.binds[name].required
        }
        self._pick = _picker(self._names)
        self._bind_converters = [
            (index, convert)
            for index, name in enumerate(self._names)
            if (convert := compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]
        selected = getattr(clause, "selected_columns", ())
        self.returns_rows = bool(selected)
        names = [column.key for column in selected]
        self._row: Any = namedtuple("Row", names)._make if names else tuple  # type: ignore[attr-defined]
        # Only these: text and numbers come out of every driver as Python's own.
        self._converters = [
            (index, convert)
            for index, column in enumerate(selected)
            if isinstance(column.type, (TypeDecorator, Boolean))
            and (convert := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """The driver's form of the parameters. Raises KeyError for one that is missing."""
        converted = list(self._pick({**values, **self._constants} if self._constants else values))
        for index, convert in self._bind_converters:
            converted[index] = convert(converted[index])
        return converted if self._positional else dict(zip(self._names, converted, strict=True))

    def to_rows(self, found: Iterable[Sequence[Any]]) -> list[Any]:
        """Rows of the driver as named tuples, their values converted."""
        if not self._converters:
            return list(map(self._row, found))
        return [self._convert(list(values)) for values in found]

    def _convert(self, values: list[Any]) -> Any:
        for index, convert in self._converters:
            values[index] = convert(values[index])
        return self._row(values)


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """What takes these values out of a mapping: one call for all of them."""
    return itemgetter(*names) if len(names) > 1 else lambda values: [values[name] for name in names]


def insert_new(table: Table) -> Statement:
    """An insert of a whole row that does nothing when one with the same key is there."""
    return Statement(lambda insert: insert(table).on_conflict_do_nothing())


LARGEST_LIST = 512
"""How many values go into one IN list: below every database's limit of parameters."""


class ListStatement:
    """A statement with an IN list: one compiled form for each power of two; shorter lists repeat their last value."""

    def __init__(self, build: Callable[[Any], Any], largest: int = LARGEST_LIST) -> None:
        """Of a function from the IN list to the statement, and how many values it takes at most, a power of two."""
        self._largest = largest
        self._sized = lru_cache(maxsize=None)(
            lambda size: Statement(build([bindparam(f"item_{i}") for i in range(size)]))
        )

    def batches(self, values: Sequence[str]) -> list[tuple[Statement, dict[str, str]]]:
        """The statements to run, with their parameters, for a list of any length."""
        found = []
        for start in range(0, len(values), self._largest):
            batch = values[start : start + self._largest]
            size = 1 << (len(batch) - 1).bit_length()
            padded = [*batch, *[batch[-1]] * (size - len(batch))]
            found.append((self._sized(size), {f"item_{i}": value for i, value in enumerate(padded)}))
        return found


def columns_of(table: Table, record: type) -> list[Column[Any]]:
    """The columns that hold a record's fields, in the order of its fields."""
    return [table.c[field.name] for field in fields(record)]
