"""What the stores know of a run that is to be made again. They are only read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zen_core.contract.bindings import ExternalBinding, binding_from_json, iter_leaves
from zen_core.contract.settings import without_credentials
from zen_core.contract.values import TAG
from zen_core.errors import CodeError, NotFoundError, UsageError
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores
from zen_metadata.shim.code import bundle_location


@dataclass(frozen=True)
class RecordedRun:
    """All that a run was made from, as far as it is known.

    Attributes:
        environment: the snapshot of most of its step runs.
        other_environments: how many of its step runs ran in another one.
        files: the digest of each source file's content, by the reference that the pipeline names it by.
        variables: the digest of the value of each environment variable that a step declares to read, by name.
        pins: the artifacts that names stood for, by name.
        left_out: files of the project that the code bundle lacks: `file` and `reason` of each.
    """

    run: Run
    environment_digest: str
    environment: Mapping[str, Any]
    other_environments: int
    files: Mapping[str, str]
    variables: Mapping[str, str]
    pins: Mapping[str, ArtifactRecord]
    left_out: Sequence[Mapping[str, str]]

    @property
    def code_location(self) -> str:
        """Where the code bundle lies in the artifact store."""
        return bundle_location(self.run.record.code_digest)


def read_record(stores: ReadStores, run: Run) -> RecordedRun:
    """What the stores know of a run.

    Raises:
        UsageError: the run goes on.
        NotFoundError: its definition is not in the store.
        CodeError: its code was not kept.
    """
    record = run.record
    if run.status == "running":
        raise UsageError(f"run {run.run_id[:8]} is still running", hint="reproduce it when it is over")
    if not run.ir.get("steps"):
        raise NotFoundError(
            f"the definition of run {run.run_id[:8]} is not in the lineage store",
            hint="replay what was spooled: zen sync",
        )
    digest, others = _environment_of(run)
    snapshot = stores.lineage.get_environment(record.project, digest) if digest else None
    found = RecordedRun(
        run=run,
        environment_digest=digest,
        environment=snapshot or {},
        other_environments=others,
        files=_files_of(stores, run),
        variables=_key_parts(run, "env:"),
        pins=_pins_of(stores, run),
        left_out=stores.lineage.find_left_out(record.project, record.code_digest),
    )
    if not stores.artifacts.exists(found.code_location):
        raise CodeError(
            f"the code of run {run.run_id[:8]} was not kept",
            where=f"{without_credentials(stores.settings.artifact_url).rstrip('/')}/{found.code_location}",
            why="it ran installed code or the cells of a notebook, its store refused the bundle, or that was removed",
            hint="of a compiled pipeline, zen push DIR uploads it: DIR is the folder that zen compile wrote to",
        )
    return found


def _environment_of(run: Run) -> tuple[str, int]:
    counted = Counter(step.environment_digest for step in run.steps if step.environment_digest)
    if not counted:
        return "", 0
    digest, count = counted.most_common(1)[0]
    return digest, counted.total() - count


def _files_of(stores: ReadStores, run: Run) -> dict[str, str]:
    """The source files that its steps read, and those that `Cache(files=...)` declares."""
    ids = {item.artifact_id for state in run.states for item in state.inputs if item.artifact_id}
    records = stores.lineage.get_artifacts(sorted(ids)) if ids else {}
    read = {record.location: record.digest for record in records.values() if record.kind == "source"}
    return dict(sorted({**_key_parts(run, "file:"), **read}.items()))


def _key_parts(run: Run, prefix: str) -> dict[str, str]:
    """The parts of one kind in the cache keys of all step runs, by name."""
    return {
        part.removeprefix(prefix): digest
        for state in run.states
        for part, digest in sorted(state.attempt.key_parts.items())
        if part.startswith(prefix)
    }


def _pins_of(stores: ReadStores, run: Run) -> dict[str, ArtifactRecord]:
    names = sorted(set(_external_names(run.ir)))
    pinned = stores.lineage.find_pins(run.run_id, names) if names else {}
    records = stores.lineage.get_artifacts(list(pinned.values())) if pinned else {}
    return {name: records[artifact_id] for name, artifact_id in pinned.items() if artifact_id in records}


def _external_names(ir: Mapping[str, Any]) -> Iterator[str]:
    for step in ir["steps"]:
        for item in step["inputs"]:
            for _, leaf in iter_leaves(binding_from_json(item["binding"])):
                if isinstance(leaf, ExternalBinding):
                    yield leaf.artifact if leaf.version is None else f"{leaf.artifact}@{leaf.version}"


def replace_files(value: Any, reference_by_old: Mapping[str, str]) -> Any:
    """A value in JSON form with other references to files in it."""
    if isinstance(value, list):
        return [replace_files(item, reference_by_old) for item in value]
    if isinstance(value, dict):
        if value.get(TAG) == "file":
            return {**value, "value": reference_by_old.get(value["value"], value["value"])}
        return {key: replace_files(item, reference_by_old) for key, item in value.items()}
    return value
