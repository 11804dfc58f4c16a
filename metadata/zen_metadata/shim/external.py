"""Artifacts of other runs, by name: found once per run, and pinned, so that all steps and retries read the same."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from zen_core.contract.bindings import ExternalBinding
from zen_core.errors import ArtifactMissingError, NotFoundError, StoreUnavailableError
from zen_metadata.lineage.records import ArtifactRecord, RunRecord

if TYPE_CHECKING:
    from zen_metadata.lineage.store import LineageStore
    from zen_metadata.shim.workspace import Workspace


def find_external(
    workspace: Workspace, run: RunRecord, binding: ExternalBinding, *, port: str, where: str
) -> ArtifactRecord:
    """The artifact that a name stands for in this run: the one that the run's first step to ask was given.

    Raises:
        NotFoundError: nothing has this name or version (it names the nearest), or several artifacts have it.
        ArtifactMissingError: the artifact was deleted.
        StoreUnavailableError: the lineage store is away, without which no name can be looked up.
    """
    name = binding.artifact if binding.version is None else f"{binding.artifact}@{binding.version}"

    def find(lineage: LineageStore) -> str:
        pinned = lineage.find_pins(run.run_id, [name]).get(name)
        if pinned is not None:
            return pinned
        while True:
            found = _look_up(lineage, run.project, binding, where)
            pinned = lineage.pin_artifact(run.run_id, name, found.artifact_id)
            if pinned is not None or found.deleted_at is not None:
                return pinned or found.artifact_id
            # It was deleted just now: the name stands for another version.

    artifact_id = workspace.pinned.get((run.run_id, name)) or workspace.ask(find, None)[0]
    record = None if artifact_id is None else workspace.get_artifact(artifact_id)
    if artifact_id is None or record is None:
        raise StoreUnavailableError(
            f"input {port!r} is the artifact {name!r}, and the lineage store is away",
            where=where,
            why="only the store knows which version a name stands for",
            hint="try again when the store is back; zen doctor tells whether it is",
        )
    workspace.pinned[(run.run_id, name)] = artifact_id
    if record.deleted_at is not None:
        raise ArtifactMissingError(
            f"input {port!r} is {name!r} version {record.version}, which was deleted",
            where=where,
            why=record.deleted_reason or "",
            hint="name another version; zen artifacts lists them. A new run takes the latest that is there",
        )
    return record


def _look_up(lineage: LineageStore, own_project: str, binding: ExternalBinding, where: str) -> ArtifactRecord:
    *scope, name = binding.artifact.split("/")
    project = scope[-2] if len(scope) > 1 else own_project
    pipelines = [pipeline for pipeline, _ in lineage.find_artifact_names(project, name=name)]
    if scope:
        pipelines = [pipeline for pipeline in pipelines if pipeline == scope[-1]]
    if len(pipelines) > 1:
        raise NotFoundError(
            f"there are {len(pipelines)} artifacts named {name!r}",
            where=where,
            why=", ".join(f"{pipeline}/{name}" for pipeline in pipelines),
            hint="write one of these names in Artifact(...)",
        )
    if not pipelines:
        raise _unknown(lineage, project, binding.artifact, where)
    found = lineage.find_version(project, pipelines[0], name, binding.version)
    if found is None:
        what = "no version that is not deleted" if binding.version is None else f"no version {binding.version}"
        raise NotFoundError(
            f"the artifact {binding.artifact!r} has {what}",
            where=where,
            hint=f"zen artifacts {name} lists what there is",
        )
    return found


def _unknown(lineage: LineageStore, project: str, name: str, where: str) -> NotFoundError:
    pairs = lineage.find_artifact_names(project)
    words = {f"{pipeline}/{short}" for pipeline, short in pairs} | {short for _, short in pairs}
    close = difflib.get_close_matches(name, sorted(words), n=3)
    near = f"did you mean {' or '.join(map(repr, close))}?" if close else "zen artifacts lists what there is"
    return NotFoundError(f"there is no artifact {name!r} in project {project!r}", where=where, hint=near)
