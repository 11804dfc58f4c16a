"""Artifacts as people ask for them: by name and version."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import ArtifactRecord, StepRunRecord
from zen_metadata.query.stores import ReadStores


@dataclass(frozen=True)
class ArtifactVersion:
    """One version of an artifact.

    Attributes:
        record: all that the lineage store knows of it.
        run_id: the run that made it; None for a source file.
        step: the step that made it; None for a source file.
    """

    record: ArtifactRecord
    run_id: str | None
    step: str | None
    _stores: ReadStores = field(repr=False, compare=False)
    _current: bool | None = field(default=None, repr=False, compare=False)
    """Whether its name stands for it, where that is known already."""

    @property
    def name(self) -> str:
        """The output's name; for a source file its path or URL."""
        return self.record.name

    @property
    def full_name(self) -> str:
        """`project/pipeline/name`, which is unique."""
        return full_name(self.record)

    @property
    def version(self) -> int | None:
        """1, 2, … within the full name."""
        return self.record.version

    @property
    def current(self) -> bool:
        """Whether its name stands for it: the latest that is not deleted, or the one that was rolled back to."""
        if self._current is not None:
            return self._current
        return _is_current(self._stores, self.record)

    @property
    def artifact_id(self) -> str:
        """The id, unique everywhere."""
        return self.record.artifact_id

    @property
    def digest(self) -> str:
        """The digest of the value."""
        return self.record.digest

    @property
    def type(self) -> str:
        """The declared type, as text."""
        return self.record.type

    @property
    def size_bytes(self) -> int:
        """How many bytes are stored."""
        return self.record.size_bytes

    @property
    def created_at(self) -> datetime | None:
        """When it was recorded."""
        return self.record.created_at

    @property
    def deletion(self) -> str:
        """ "deleted on 2026-03-01 by ana: asked to"; "" for one that is there."""
        record = self.record
        if record.deleted_at is None:
            return ""
        reason = f": {record.deleted_reason}" if record.deleted_reason else ""
        return f"deleted on {record.deleted_at:%Y-%m-%d} by {record.deleted_by or 'somebody'}{reason}"

    @property
    def uri(self) -> str:
        """Where the bytes lie, without credentials."""
        return self._stores.artifact_uri(self.record)

    def load(self, into: Any = None) -> Any:
        """The value itself.

        Args:
            into: the type to read it as, where it is to be another than the one that was stored.

        Raises:
            ArtifactMissingError: the bytes are gone, or were deleted on purpose; or it is a source file.
            ArtifactIntegrityError: the bytes are not those that were stored.
        """
        return self._stores.load(self.record, into=into)

    def to_json(self) -> dict[str, Any]:
        """The entry of `zen artifacts --json`."""
        return {
            "name": self.name,
            "full_name": self.full_name,
            "pipeline": self.record.pipeline,
            "version": self.version,
            "current": self.current,
            "artifact_id": self.artifact_id,
            "digest": self.digest,
            "type": self.type,
            "uri": self.uri,
            "size_bytes": self.size_bytes,
            "run_id": self.run_id,
            "step": self.step,
            "kind": self.record.kind,
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "deleted_at": self.record.deleted_at.isoformat() if self.record.deleted_at else None,
            "deleted_by": self.record.deleted_by,
            "deleted_reason": self.record.deleted_reason,
        }

    def __repr__(self) -> str:
        return f"<ArtifactVersion {self.full_name}@{self.version} {self.type} {self.digest[:19]}>"


def full_name(record: ArtifactRecord) -> str:
    """`project/pipeline/name`; a source file belongs to no pipeline."""
    return "/".join(part for part in (record.project, record.pipeline, record.name) if part)


def find_versions(
    stores: ReadStores,
    name: str | None = None,
    version: int | None = None,
    *,
    limit: int | None = None,
    before: ArtifactVersion | None = None,
    after: ArtifactVersion | None = None,
) -> list[ArtifactVersion]:
    """Versions, newest first: all of the project, or those that a name stands for.

    Args:
        name: `name` where it is unique in the project, `pipeline/name`, `project/pipeline/name`, a file that was
            read (as the pipeline names it), or an artifact id.
        version: this one alone.
        limit: so many at most.
        before: only what is older than this one.
        after: only what is newer than this one; within the limit, what is nearest to it.

    Raises:
        NotFoundError: nothing has this name (it names the nearest), or several have (it lists them).
    """
    find = partial(
        stores.lineage.find_artifacts,
        limit=limit,
        before=None if before is None else before.record,
        after=None if after is None else after.record,
    )
    if name is None:
        return with_producers(stores, find(stores.settings.project, version=version))
    found = find_subject(stores, name)
    if isinstance(found, ArtifactRecord):
        if version is not None and found.version != version:
            raise NotFoundError(
                f"{full_name(found)} has no version {version}", hint=f"{name} is version {found.version}"
            )
        return with_producers(stores, [found])
    project, pipeline, short = found
    records = find(project, name=short, pipeline=pipeline, version=version)
    if not records and version is not None:
        newest = stores.lineage.find_artifacts(project, name=short, pipeline=pipeline, limit=1)
        have = f"there are versions {_ranges(newest[0].version)}; " if newest else ""
        raise NotFoundError(f"{'/'.join(found)} has no version {version}", hint=f"{have}zen artifacts {name}")
    return with_producers(stores, records)


def find_one(stores: ReadStores, name: str, version: int | None = None) -> ArtifactVersion:
    """One version: the one that stands for the name where none is named. Raises NotFoundError as `find_versions`."""
    if version is None:
        found = find_subject(stores, name)
        if not isinstance(found, ArtifactRecord):
            record = stores.lineage.find_version(*found, None)
            if record is not None:
                return with_producers(stores, [record])[0]
    return find_versions(stores, name, version, limit=1)[0]


def find_subject(stores: ReadStores, name: str) -> tuple[str, str, str] | ArtifactRecord:
    """What a name means: project, pipeline and name of something that has versions; or a source file, or an artifact.

    Raises:
        NotFoundError: it means nothing (it names the nearest), or several things (it lists them).
    """
    project = stores.settings.project
    names = [(project, *pair) for pair in stores.lineage.find_artifact_names(project, name=name)]
    if not names and "/" in name:
        *scope, short = name.split("/")
        of_project = scope[0] if len(scope) > 1 else project
        pairs = stores.lineage.find_artifact_names(of_project, name=short)
        names = [(of_project, *pair) for pair in pairs if f"/{of_project}/{'/'.join(pair)}".endswith(f"/{name}")]
    if len(names) > 1:
        raise NotFoundError(
            f"there are {len(names)} artifacts named {name!r}",
            why=", ".join(sorted("/".join(parts) for parts in names)),
            hint="write one of these names",
        )
    if names:
        return names[0]
    # A file that was read: its newest content.
    records = list(stores.lineage.find_artifacts(project, name=name, kind="source", limit=1))
    records = records or list(stores.lineage.get_artifacts([name]).values())
    if not records:
        raise _unknown(stores, name)
    return records[0]


def with_producers(stores: ReadStores, records: Sequence[ArtifactRecord]) -> list[ArtifactVersion]:
    """The same artifacts, with the run and the step that made each, and whether their names stand for them."""
    made_by = [record.step_run_id for record in records if record.step_run_id is not None]
    step_runs: Mapping[str, StepRunRecord] = stores.lineage.get_step_run_records(made_by) if made_by else {}
    current = _find_current(stores, records)
    versions = []
    for record in records:
        step_run = step_runs.get(record.step_run_id or "")
        versions.append(
            ArtifactVersion(
                record,
                step_run.run_id if step_run else None,
                step_run.step if step_run else None,
                stores,
                record.artifact_id in current,
            )
        )
    return versions


def _find_current(stores: ReadStores, records: Sequence[ArtifactRecord]) -> set[str]:
    """The ids of those that their names stand for."""
    there = [record for record in records if record.version is not None and record.deleted_at is None]
    if not there:
        return set()
    newest = stores.lineage.find_newest([record.artifact_id for record in there])
    rolled_back = {project: stores.lineage.find_rolled_back(project) for project in {item.project for item in there}}
    current = set()
    for record in there:
        version = rolled_back[record.project].get((record.pipeline, record.name))
        if version is None:
            stands = record.artifact_id in newest
        elif version == record.version:
            stands = True
        else:  # unless the one that was rolled back to is deleted by now
            stands = record.artifact_id in newest and _is_current(stores, record)
        if stands:
            current.add(record.artifact_id)
    return current


def _is_current(stores: ReadStores, record: ArtifactRecord) -> bool:
    found = stores.lineage.find_version(record.project, record.pipeline, record.name, None)
    return found is not None and found.artifact_id == record.artifact_id


def _unknown(stores: ReadStores, name: str) -> NotFoundError:
    project = stores.settings.project
    pairs = stores.lineage.find_artifact_names(project)
    words = {word for pair in pairs for word in (pair[1], "/".join((project, *pair)))}
    close = difflib.get_close_matches(name, words, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "zen artifacts lists what there is"
    return NotFoundError(f"there is no artifact {name!r} in project {project!r}", hint=hint)


def _ranges(last: int | None) -> str:
    """`1-4`: versions have no gaps."""
    return "1" if last == 1 else f"1-{last}"
