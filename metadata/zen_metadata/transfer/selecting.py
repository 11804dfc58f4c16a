"""Which rows an export has: those of the runs that were asked for, and of the runs that they were made from.

What an edge leads to comes along, so that no export has a run whose inputs nobody knows. The ids are gathered in
temporary tables of the database, so that memory stays as it is however many they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, and_, cast, func, insert, or_, select, tuple_
from sqlalchemy.engine import Connection

from zen_metadata.lineage.sql.retention import PIN
from zen_metadata.lineage.sql.tables import (
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    links,
    runs,
    step_runs,
)
from zen_metadata.transfer.document import PLAIN_TABLES

RUN_ID_LENGTH = 36
_OF_RUN = ("", "hook ", "take-over ", "end ")
"""How the names of what belongs to a run begin; its id follows."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for.

    Attributes:
        projects: only of these; None for all.
        pipelines: only of these; None for all.
        since: only runs that began then or later.
    """

    projects: tuple[str, ...] | None
    pipelines: tuple[str, ...] | None = None
    since: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Whether whole projects are asked for, with what belongs to no run."""
        return self.pipelines is None and self.since is None

    def to_json(self) -> dict[str, Any]:
        """As an export's first line has it."""
        return {
            "projects": None if self.projects is None else sorted(self.projects),
            "pipelines": None if self.pipelines is None else sorted(self.pipelines),
            "since": self.since and self.since.isoformat(),
        }


class Chosen:
    """The ids of what is exported, in temporary tables of the connection's transaction."""

    def __init__(self, connection: Connection, selection: Selection) -> None:
        self._connection = connection
        self._selection = selection
        tables = MetaData()
        self._runs = self._table(tables, "runs", Column("run_id", Text, primary_key=True), Column("round", Integer))
        self._attempts = self._table(tables, "attempts", Column("attempt_id", Text, primary_key=True))
        self._artifacts = self._table(tables, "artifacts", Column("artifact_id", Text, primary_key=True))
        tables.create_all(connection, checkfirst=False)
        self._choose_runs()
        self._choose_rest()

    def filters(self) -> Mapping[str, Any]:
        """Which rows of each table are exported."""
        chosen_runs = select(self._runs.c.run_id)
        chosen_attempts = select(self._attempts.c.attempt_id)
        chosen_artifacts = select(self._artifacts.c.artifact_id)
        plain = PLAIN_TABLES
        names = select(artifacts.c.project, artifacts.c.pipeline, artifacts.c.name).where(
            artifacts.c.artifact_id.in_(chosen_artifacts)
        )
        of_attempts = {
            name: plain[name].c.attempt_id.in_(chosen_attempts)
            for name in ("attempts", "attempt_inputs", "attempt_outputs", "metrics", "params", "cache_entries")
        }
        of_names = {
            name: self._of_projects(
                plain[name], tuple_(plain[name].c.project, plain[name].c.pipeline, plain[name].c.name).in_(names)
            )
            for name in ("artifact_names", "rollbacks")
        }
        return {
            **self._of_documents(),
            **of_attempts,
            **of_names,
            "runs": plain["runs"].c.run_id.in_(chosen_runs),
            "step_runs": plain["step_runs"].c.run_id.in_(chosen_runs),
            "artifacts": plain["artifacts"].c.artifact_id.in_(chosen_artifacts),
            "links": and_(
                plain["links"].c.external_id.is_not(None),
                self._of_subject(plain["links"].c.subject_id),
            ),
            "applied_events": self._of_subject(plain["applied_events"].c.event_id),
            "outbox": and_(plain["outbox"].c.done_at.is_(None), plain["outbox"].c.run_id.in_(chosen_runs)),
        }

    def _table(self, tables: MetaData, name: str, *columns: Column[Any]) -> Table:
        # On PostgreSQL they go with the transaction: behind a pooler the connection serves others afterwards.
        options = {"postgresql_on_commit": "DROP"} if self._connection.dialect.name == "postgresql" else {}
        return Table(f"zen_export_{name}", tables, *columns, prefixes=["TEMPORARY"], **options)

    def _choose_runs(self) -> None:
        self._fill(self._runs, select(runs.c.run_id, cast(0, Integer)).where(*self._asked_for(runs)))
        if self._selection.is_whole:  # also what is there before its run, which is still in a spool
            early = select(step_runs.c.run_id, cast(0, Integer)).where(
                *self._asked_for(step_runs), step_runs.c.run_id.not_in(select(self._runs.c.run_id))
            )
            self._fill(self._runs, early.distinct())
        number = 0
        while self._add_makers(number):
            number += 1

    def _asked_for(self, table: Table) -> Sequence[Any]:
        asked, found = self._selection, []
        if asked.projects is not None:
            found.append(table.c.project.in_(asked.projects))
        if asked.pipelines is not None:
            found.append(table.c.pipeline.in_(asked.pipelines))
        if asked.since is not None:
            found.append(table.c.started_at >= asked.since)
        return found

    def _add_makers(self, number: int) -> bool:
        """Add the runs that made what the runs of one round read, reused or pinned, and those that they go on from."""
        latest = select(self._runs.c.run_id).where(self._runs.c.round == number)
        mine = select(attempts.c.attempt_id).where(
            attempts.c.step_run_id.in_(select(step_runs.c.step_run_id).where(step_runs.c.run_id.in_(latest)))
        )
        reused = select(attempts.c.reused_attempt_id).where(attempts.c.attempt_id.in_(mine))
        touched = [
            select(table.c.artifact_id).where(table.c.attempt_id.in_(mine), table.c.artifact_id.is_not(None))
            for table in (attempt_inputs, attempt_outputs)
        ]
        pinned = select(links.c.external_id).where(
            links.c.tracker == PIN, func.substr(links.c.subject_id, 1, RUN_ID_LENGTH).in_(latest)
        )
        made = [
            select(artifacts.c.attempt_id).where(
                artifacts.c.artifact_id.in_(found), artifacts.c.attempt_id.is_not(None)
            )
            for found in (*touched, pinned)
        ]
        makers = select(step_runs.c.run_id).where(
            step_runs.c.step_run_id.in_(
                select(attempts.c.step_run_id).where(
                    or_(
                        *(
                            attempts.c.attempt_id.in_(found)
                            for found in (reused.where(attempts.c.reused_attempt_id.is_not(None)), *made)
                        )
                    )
                )
            )
        )
        parents = select(runs.c.parent_run_id).where(runs.c.run_id.in_(latest), runs.c.parent_run_id.is_not(None))
        known = select(self._runs.c.run_id)
        for found, column in ((makers, step_runs.c.run_id), (parents, runs.c.parent_run_id)):
            new = found.where(column.not_in(known)).with_only_columns(column, cast(number + 1, Integer)).distinct()
            self._fill(self._runs, new)
        of_round = select(func.count()).select_from(self._runs).where(self._runs.c.round == number + 1)
        return bool(self._connection.execute(of_round).scalar())

    def _choose_rest(self) -> None:
        of_runs = select(step_runs.c.step_run_id).where(step_runs.c.run_id.in_(select(self._runs.c.run_id)))
        self._fill(self._attempts, select(attempts.c.attempt_id).where(attempts.c.step_run_id.in_(of_runs)))
        mine = select(self._attempts.c.attempt_id)
        pinned = func.substr(links.c.subject_id, 1, RUN_ID_LENGTH).in_(select(self._runs.c.run_id))
        wanted = [
            artifacts.c.attempt_id.in_(mine),
            artifacts.c.artifact_id.in_(
                select(attempt_inputs.c.artifact_id).where(
                    attempt_inputs.c.attempt_id.in_(mine), attempt_inputs.c.artifact_id.is_not(None)
                )
            ),
            artifacts.c.artifact_id.in_(
                select(attempt_outputs.c.artifact_id).where(attempt_outputs.c.attempt_id.in_(mine))
            ),
            artifacts.c.artifact_id.in_(select(links.c.external_id).where(links.c.tracker == PIN, pinned)),
        ]
        chosen = or_(*wanted)
        self._fill(self._artifacts, select(artifacts.c.artifact_id).where(self._of_projects(artifacts, chosen)))

    def _of_documents(self) -> dict[str, Any]:
        mine = attempts.c.attempt_id.in_(select(self._attempts.c.attempt_id))
        of_run = runs.c.run_id.in_(select(self._runs.c.run_id))
        named = {
            "irs": (runs.c.ir_digest, attempts.c.ir_digest),
            "environments": (attempts.c.environment_digest,),
            "code_bundles": (runs.c.code_digest, attempts.c.code_digest),
            "codes": (attempts.c.fingerprint,),
        }
        filters = {}
        for name, columns in named.items():
            table = PLAIN_TABLES[name]
            key = tuple_(table.c.project, table.c.digest)
            used = [
                key.in_(select(column.table.c.project, column).where(of_run if column.table is runs else mine))
                for column in columns
            ]
            filters[name] = self._of_projects(table, or_(*used))
        return filters

    def _of_projects(self, table: Table, chosen: Any) -> Any:
        """All rows of the projects where whole projects are asked for, and the chosen ones of others."""
        if not self._selection.is_whole:
            return chosen
        if self._selection.projects is None:
            return table.c.project.is_not(None)
        return or_(table.c.project.in_(self._selection.projects), chosen)

    def _of_subject(self, column: Any) -> Any:
        """What is about a chosen attempt or run."""
        chosen_runs = select(self._runs.c.run_id)
        about = [column.in_(select(self._attempts.c.attempt_id))]
        about += [func.substr(column, len(start) + 1, RUN_ID_LENGTH).in_(chosen_runs) for start in _OF_RUN]
        return or_(*about)

    def _fill(self, table: Table, found: Any) -> None:
        columns = [column.name for column in table.columns]
        self._connection.execute(insert(table).from_select(columns, found))
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"ANALYZE {table.name}")
