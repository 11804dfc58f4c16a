"""The stores as a plan sees them: what is there, and what it foresees; nothing is written to what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zen_metadata.artifacts.store import ArtifactStore, StoredArtifact
from zen_metadata.lineage.records import ArtifactRecord, StepRunOutputs
from zen_metadata.lineage.store import LineageStore

_READS = frozenset(
    {
        "find_artifact_names",
        "find_earlier_attempts",
        "find_file_digest",
        "find_version",
        "get_codes",
        "look_up",
        "read_clock",
    }
)


class ForeseenLineage:
    """A lineage store with the results of a run that has not begun. Has what resolving inputs asks for, and no more.

    Args:
        store: what is there.
    """

    def __init__(self, store: LineageStore) -> None:
        self._store = store
        self._artifacts: dict[str, ArtifactRecord] = {}
        self._results: dict[str, dict[int | None, StepRunOutputs]] = defaultdict(dict)

    def foresee(self, step: str, map_index: int | None, outputs: Mapping[str, ArtifactRecord]) -> None:
        """A step run will have these outputs."""
        self._artifacts.update((record.artifact_id, record) for record in outputs.values())
        self._results[step][map_index] = StepRunOutputs("completed", outputs)

    def foreseen(self, step: str) -> Mapping[int | None, StepRunOutputs]:
        """What is foreseen of a step, by map index."""
        return self._results.get(step, {})

    def find_outputs(
        self, run_id: str, step: str, *, map_index: int | None = None
    ) -> Mapping[int | None, StepRunOutputs]:
        """See LineageStore."""
        return self.foreseen(step)

    def get_artifacts(self, artifact_ids: Sequence[str]) -> Mapping[str, ArtifactRecord]:
        """See LineageStore."""
        known = {item: self._artifacts[item] for item in artifact_ids if item in self._artifacts}
        others = [item for item in artifact_ids if item not in known]
        return {**known, **(self._store.get_artifacts(others) if others else {})}

    def find_pins(self, run_id: str, names: Sequence[str]) -> Mapping[str, str]:
        """None: nothing stands for a name in a run that has not begun."""
        return {}

    def pin_artifact(self, run_id: str, name: str, artifact_id: str) -> str:
        """What the run would pin."""
        return artifact_id

    def remember_file_digest(self, url: str, version: str, digest: str) -> None:
        """Nothing is written."""

    def find_step_statuses(self, run_ids: Sequence[str]) -> Mapping[str, Any]:
        """None: the run has not begun."""
        return {}

    def find_answers(self, run_ids: Sequence[str]) -> Mapping[str, Any]:
        """None: the run has not begun."""
        return {}

    def close(self) -> None:
        """Close the store that is there."""
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    def __getattr__(self, name: str) -> Any:
        if name in _READS:
            return getattr(self._store, name)
        raise AttributeError(f"a plan does not call {name}")


class ForeseenArtifacts(ArtifactStore):
    """An artifact store whose new artifacts go to a folder of the plan's own.

    Args:
        store: what is there.
        folder: for what the plan works out, such as the elements of a list.
    """

    def __init__(self, store: ArtifactStore, folder: Path, *, allow_pickle: bool) -> None:
        super().__init__(str(folder), allow_pickle=allow_pickle)
        self._store = store

    def load(self, record: ArtifactRecord | StoredArtifact, *, into: Any = None, scratch: Path) -> object:
        """The value, from wherever it is."""
        if super().exists(record.location):
            return super().load(record, into=into, scratch=scratch)
        return self._store.load(record, into=into, scratch=scratch)

    def exists(self, location: str) -> bool:
        """Whether the bytes are in one of the two places."""
        return super().exists(location) or self._store.exists(location)

    def find_damage(self, records: Mapping[str, ArtifactRecord]) -> str | None:
        """`gone` or `damaged`, for outputs whose bytes are not there as they were stored. Moves nothing."""
        for record in records.values():
            if not self._store.exists(record.location):
                return "gone"
            path = self._store.local_path(record.location)
            if path is not None and path.stat().st_size != record.size_bytes:
                return "damaged"
        return None
