"""Artifacts as people ask for them: by name and version."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
        record = self.record
        found = self._stores.lineage.find_version(record.project, record.pipeline, record.name, None)
        return found is not None and found.artifact_id == record.artifact_id

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


def find_versions(stores: ReadStores, name: str | None = None, version: int | None = None) -> list[ArtifactVersion]:
    """Versions, newest first: all of the project, or those that a name stands for.

    Args:
        name: `name` where it is unique in the project, `pipeline/name`, `project/pipeline/name`, a file that was
            read (as the pipeline names it), or an artifact id.
        version: this one alone.

    Raises:
        NotFoundError: nothing has this name (it names the nearest), or several have (it lists them).
    """
    if name is None:
        listed = stores.lineage.find_artifacts(stores.settings.project, version=version)
        return with_producers(stores, listed, complete=version is None)
    records = _find_by_name(stores, name)
    names = sorted({full_name(record) for record in records})
    if len(names) > 1:
        raise NotFoundError(
            f"there are {len(names)} artifacts named {name!r}",
            why=", ".join(names),
            hint="write one of these names",
        )
    if not records:
        raise _unknown(stores, name)
    if version is None:
        return with_producers(stores, records, complete=records[0].artifact_id != name)
    matching = [record for record in records if record.version == version]
    if not matching:
        have = sorted(record.version for record in records if record.version is not None)
        raise NotFoundError(
            f"{names[0]} has no version {version}",
            hint=f"there are versions {_ranges(have)}; zen artifacts {name}",
        )
    return with_producers(stores, matching)


def with_producers(
    stores: ReadStores, records: Sequence[ArtifactRecord], *, complete: bool = False
) -> list[ArtifactVersion]:
    """The same artifacts, with the run and the step that made each.

    Args:
        complete: whether all versions of each name are among them.
    """
    made_by = [record.step_run_id for record in records if record.step_run_id is not None]
    step_runs: Mapping[str, StepRunRecord] = stores.lineage.get_step_run_records(made_by) if made_by else {}
    current = _find_current(stores, records) if complete else None
    versions = []
    for record in records:
        step_run = step_runs.get(record.step_run_id or "")
        versions.append(
            ArtifactVersion(
                record,
                step_run.run_id if step_run else None,
                step_run.step if step_run else None,
                stores,
                None if current is None else record.artifact_id in current,
            )
        )
    return versions


def _find_current(stores: ReadStores, records: Sequence[ArtifactRecord]) -> set[str]:
    """The ids of those that their names stand for."""
    rolled_back: dict[tuple[str, str, str], int] = {}
    for project in {record.project for record in records}:
        for (pipeline, name), version in stores.lineage.find_rolled_back(project).items():
            rolled_back[(project, pipeline, name)] = version
    newest: dict[tuple[str, str, str], tuple[bool, int, str]] = {}
    for record in records:
        key = (record.project, record.pipeline, record.name)
        if record.version is not None and record.deleted_at is None:
            rank = (record.version == rolled_back.get(key), record.version, record.artifact_id)
            newest[key] = max(newest.get(key, rank), rank)
    return {artifact_id for _, _, artifact_id in newest.values()}


def _find_by_name(stores: ReadStores, name: str) -> list[ArtifactRecord]:
    project = stores.settings.project
    records = list(stores.lineage.find_artifacts(project, name=name))
    if not records and "/" in name:
        *scope, short = name.split("/")
        candidates = stores.lineage.find_artifacts(scope[0] if len(scope) > 1 else project, name=short)
        records = [record for record in candidates if f"/{full_name(record)}".endswith(f"/{name}")]
    if not records:  # a file that was read: its newest content
        records = list(stores.lineage.find_artifacts(project, name=name, kind="source"))[:1]
    return records or list(stores.lineage.get_artifacts([name]).values())


def _unknown(stores: ReadStores, name: str) -> NotFoundError:
    known = {full_name(record): record.name for record in stores.lineage.find_artifacts(stores.settings.project)}
    words = {*known, *known.values()}
    close = difflib.get_close_matches(name, words, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "zen artifacts lists what there is"
    return NotFoundError(f"there is no artifact {name!r} in project {stores.settings.project!r}", hint=hint)


def _ranges(numbers: Sequence[int]) -> str:
    """`1-4, 7`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
