"""`Client`: runs, artifacts and lineage from Python."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zen_core.contract.settings import Settings, find_root, load_settings
from zen_core.errors import NotFoundError, UsageError
from zen_metadata.lineage.records import RollbackRecord, RunRecord
from zen_metadata.lineage.store import MOST_RUNS_BEGINNING
from zen_metadata.query.artifacts import ArtifactVersion, find_one, find_versions
from zen_metadata.query.lineage import (
    LARGEST_GRAPH,
    Direction,
    GraphLimits,
    LineageGraph,
    artifact_graph,
    run_graph,
)
from zen_metadata.query.rules import Facts, PipelineRules, facts_from_labels, rules_of
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores

if TYPE_CHECKING:
    from zen_metadata.query.diff import RunDiff

LATEST = "latest"
_COUNTED = re.compile(r"latest(?:~(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """An IR document and the rules that follow from it: the same for many runs."""

    ir: Mapping[str, Any]
    rules: PipelineRules


class Client:
    """Reads what was recorded, whichever orchestrator ran it.

    Args:
        settings: the settings to use; else those of the project.
        root: a folder of the project; else the current one.
        stack: the stack of zen.toml to use.

    Raises (on the first question): NotFoundError for a project without runs, StoreUnavailableError,
    ConfigError.
    """

    def __init__(
        self, settings: Settings | None = None, *, root: str | os.PathLike[str] | None = None, stack: str = ""
    ) -> None:
        if settings is None:
            settings = load_settings(find_root(Path.cwd() if root is None else Path(root)), stack=stack)
        self.settings = settings.with_local_defaults()
        self._stores = ReadStores(self.settings)

    def runs(
        self,
        pipeline: str | None = None,
        *,
        limit: int | None = None,
        before: str | Run | None = None,
        after: str | Run | None = None,
    ) -> list[Run]:
        """Runs, newest first: of one pipeline, or of all.

        Args:
            pipeline: its name.
            limit: so many at most.
            before: only runs that began before this one (a run, or what `run` takes): the last run of a page gives
                the next page, whatever was added meanwhile.
            after: only runs that began after this one; within the limit, those that are nearest to it.
        """
        store = self._stores.lineage
        records = store.find_runs(
            self.settings.project,
            pipeline=pipeline,
            limit=limit,
            before=self._run_record(before),
            after=self._run_record(after),
        )
        if pipeline is not None and not records:
            self._refuse_unknown_pipeline(pipeline)
        if not records:
            return []
        known: dict[str, _Pipeline] = {}
        statuses = store.find_step_statuses([record.run_id for record in records])
        asked = [record.run_id for record in records if self._pipeline(record, known).rules.has_answers]
        answers = store.find_answers(asked) if asked else {}
        return [
            self._open(
                record,
                known,
                facts_from_labels(statuses.get(record.run_id, {}), answers.get(record.run_id, {})),
            )
            for record in records
        ]

    def run(self, run_id: str = LATEST) -> Run:
        """One run, by its id, a beginning of it that is unique, `latest`, or `latest~1` for the one before it.

        Raises:
            NotFoundError: there is none (it names the nearest), or several begin so (it lists them).
        """
        store, project = self._stores.lineage, self.settings.project
        if counted := _COUNTED.fullmatch(run_id):
            count = int(counted[1] or 0)
            records: Sequence[RunRecord] = store.find_runs(project, limit=1, skip=count)
        else:
            records = store.find_run(run_id.lower(), project) if run_id else ()
        if len(records) == 1:
            return self._open(records[0], {})
        if records:
            listed = "\n".join(f"{record.run_id}  {record.pipeline}" for record in records[:5])
            is_cut = len(records) == MOST_RUNS_BEGINNING
            many = f"more than {len(records) - 1}" if is_cut else str(len(records))
            raise NotFoundError(f"{many} runs begin with {run_id!r}", why=listed, hint="write more of the id")
        raise self._unknown_run(run_id)

    def artifact(self, name: str, version: int | None = None) -> ArtifactVersion:
        """One version of an artifact; when none is named, the one that stands for the name.

        That is the newest that is not deleted, or the one that the name was rolled back to.

        Args:
            name: `name` where it is unique in the project, `pipeline/name`, or `project/pipeline/name`; each
                may end
                in `@version`. An artifact's id does too.
            version: the version.

        Raises:
            NotFoundError: nothing has this name or version, or several artifacts have it.
        """
        name, version = _split_version(name, version)
        return find_one(self._stores, name, version)

    def artifacts(
        self,
        name: str | None = None,
        *,
        limit: int | None = None,
        before: str | ArtifactVersion | None = None,
        after: str | ArtifactVersion | None = None,
    ) -> list[ArtifactVersion]:
        """Versions of artifacts, newest first: of one name, or of all. Raises NotFoundError as `artifact` does.

        Args:
            name: as for `artifact`.
            limit: so many at most.
            before: only versions that are older than this one (a version, or a name for `artifact`): the last
                version of a page gives the next page, whatever was added meanwhile.
            after: only versions that are newer than this one; within the limit, those that are nearest to it.
        """
        before, after = (self.artifact(edge) if isinstance(edge, str) else edge for edge in (before, after))
        named = (None, None) if name is None else _split_version(name, None)
        return find_versions(self._stores, *named, limit=limit, before=before, after=after)

    def roll_back(self, name: str, version: int, *, reason: str = "") -> ArtifactVersion:
        """Let a name stand for an earlier version, until a new one is made. Who, when and why is recorded.

        Args:
            name: as for `artifact`.

        Raises:
            NotFoundError: nothing has this name or version, or the version was deleted; says which there are.
        """
        from zen_metadata.query.rollback import roll_back

        return roll_back(self._stores, name, version, reason=reason)

    def rollbacks(self, name: str) -> Sequence[RollbackRecord]:
        """Every rollback of a name, newest first. Raises NotFoundError as `artifact` does."""
        from zen_metadata.query.rollback import find_rollbacks

        return find_rollbacks(self._stores, name)

    def lineage(
        self,
        subject: str | ArtifactVersion | Run,
        direction: Direction = "both",
        *,
        depth: int | None = None,
        limit: int | None = LARGEST_GRAPH,
    ) -> LineageGraph:
        """What an artifact was made from (`up`), what was made of it (`down`), or both; the same around a run.

        Args:
            subject: an artifact or what `artifact` takes, or a run.
            direction: `up`, `down` or `both`.
            depth: how many steps away each way; None for all the way.
            limit: how many artifacts each way, the nearest first; None for all. `LineageGraph.cut` says when depth or
                limit left something out.
        """
        if direction not in ("up", "down", "both"):
            raise UsageError(f"direction is {direction!r}", hint="write up, down or both")
        for what, value in (("depth", depth), ("limit", limit)):
            if value is not None and value < 1:
                raise UsageError(f"{what} is {value}", hint="write 1 or more, or None")
        limits = GraphLimits(depth, limit)
        if isinstance(subject, Run):
            return run_graph(self._stores, subject, direction, limits)
        if isinstance(subject, str):
            subject = self.artifact(subject)
        return artifact_graph(self._stores, subject.record, direction, limits)

    def diff(self, before: str | Run, after: str | Run) -> RunDiff:
        """What differs between two runs: parameters, code, environment, artifacts, metrics, steps.

        Each is a run, or what `run` takes. Raises NotFoundError as `run` does.
        """
        from zen_metadata.query.diff import diff_runs

        first, second = (run if isinstance(run, Run) else self.run(run) for run in (before, after))
        return diff_runs(self._stores, first, second)

    def close(self) -> None:
        """Close the connections to the stores; a `with` block does it too. A later question opens new ones."""
        self._stores.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of project {self.settings.project!r}>"

    def _run_record(self, run: str | Run | None) -> RunRecord | None:
        return None if run is None else (self.run(run) if isinstance(run, str) else run).record

    def _open(
        self,
        record: RunRecord,
        known: dict[str, _Pipeline],
        facts: Facts | None = None,
    ) -> Run:
        pipeline = self._pipeline(record, known)
        return Run(record, pipeline.ir, self._stores, facts=facts, rules=pipeline.rules)

    def _pipeline(self, record: RunRecord, known: dict[str, _Pipeline]) -> _Pipeline:
        found = known.get(record.ir_digest)
        if found is None:
            document = self._stores.lineage.get_ir(record.project, record.ir_digest)
            # A run whose IR is still in the spool is shown by its step runs alone.
            ir = document or {"steps": []}
            found = known[record.ir_digest] = _Pipeline(ir, rules_of(ir))
        return found

    def _unknown_run(self, run_id: str) -> NotFoundError:
        known = self._stores.lineage.find_runs(self.settings.project, limit=200)
        if not known:
            return NotFoundError(
                f"project {self.settings.project!r} has no runs yet",
                hint=self._stores.hint_with_spool("zen run PIPELINE makes the first one"),
            )
        near = sorted(known, key=lambda record: -_common_length(record.run_id, run_id.lower()))[:3]
        listed = ", ".join(f"{record.run_id[:8]} ({record.pipeline})" for record in near)
        return NotFoundError(
            f"there is no run {run_id!r} in project {self.settings.project!r}",
            hint=self._stores.hint_with_spool(f"the nearest: {listed}; zen runs lists all"),
        )

    def _refuse_unknown_pipeline(self, pipeline: str) -> None:
        from zen_metadata.query.nearest import did_you_mean

        known = self._stores.lineage.find_pipelines(self.settings.project)
        if known:
            raise NotFoundError(
                f"pipeline {pipeline!r} has no runs in project {self.settings.project!r}",
                hint=did_you_mean(pipeline, known) or f"pipelines with runs: {', '.join(known)}",
            )


def _split_version(name: str, version: int | None) -> tuple[str, int | None]:
    short, at, number = name.rpartition("@")
    return (short, int(number)) if at and number.isdigit() and version is None else (name, version)


def _common_length(first: str, second: str) -> int:
    """How many characters two texts share from the beginning."""
    pairs = zip(first, second, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
