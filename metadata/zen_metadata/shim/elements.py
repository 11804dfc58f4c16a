"""The elements of maps: as a collection holds them, and as an earlier step of the run made them.

A collection is one artifact that lists its elements in order: what each is (its digest), where its bytes lie and how
they are read, and the artifact that it is, where another step made it. So a fan-out moves one ref and an index.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.contract.canonical import digest_json
from zen_core.contract.identity import step_run_id
from zen_metadata.lineage.records import ArtifactRecord, StepRunOutputs
from zen_metadata.query.rules import DONE
from zen_metadata.shim import spool

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore, StoredArtifact
    from zen_metadata.lineage.store import LineageStore
    from zen_metadata.shim.workspace import Workspace

COLLECTION_TYPE = "collection"
_REMEMBERED_COLLECTIONS = 16
_FACTS = ("digest", "stored_digest", "type", "serializer", "serializer_version", "location", "size_bytes", "metadata")


def collection_digest(digests: Sequence[str]) -> str:
    """The digest of a list of elements: the same as that of a list of the same outputs."""
    return digest_json("list", list(digests))


def save_collection(
    elements: Sequence[ArtifactRecord | StoredArtifact], artifacts: ArtifactStore, scratch: Path
) -> StoredArtifact:
    """Store the list of elements. Their bytes are stored already."""
    stored = artifacts.save([_to_json(element) for element in elements], scratch=scratch)
    return replace(stored, digest=collection_digest([element.digest for element in elements]), type=COLLECTION_TYPE)


def _to_json(element: ArtifactRecord | StoredArtifact) -> dict[str, Any]:
    document = {name: getattr(element, name) for name in _FACTS}
    document["metadata"] = dict(element.metadata)
    document["artifact_id"] = getattr(element, "artifact_id", None)
    return {**document, "value": element.inline_value} if element.has_inline_value else document


class Collections:
    """Collections that this process has read. Safe to share between threads."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Sequence[Mapping[str, Any]]] = OrderedDict()

    def element(self, collection: ArtifactRecord, index: int, scratch: Path) -> ArtifactRecord | None:
        """The element at an index, as an artifact; None beyond the end.

        Its id is that of the artifact which it is, or the collection's own where the expander stored it.
        """
        with self._lock:  # read once, also when all workers begin at the same moment
            elements = self._known.get(collection.stored_digest)
            if elements is None:
                loaded: Any = self._artifacts.load(collection, scratch=scratch)
                elements = self._known[collection.stored_digest] = loaded
                while len(self._known) > _REMEMBERED_COLLECTIONS:
                    self._known.popitem(last=False)
        if index >= len(elements):
            return None
        document = elements[index]
        return ArtifactRecord(
            artifact_id=document["artifact_id"] or collection.artifact_id,
            project=collection.project,
            pipeline=collection.pipeline,
            name=f"{collection.name}[{index}]",
            has_inline_value="value" in document,
            inline_value=document.get("value"),
            **{name: document[name] for name in _FACTS},
        )


def find_results(
    workspace: Workspace, run_id: str, step: str, indexes: Sequence[int], *, surely: bool = False
) -> dict[int, StepRunOutputs]:
    """The elements of a mapped step that are there, by index: from the lineage store, else from the spool.

    Args:
        surely: all of them are needed: a store that is away is waited for, for a while.

    Raises:
        StoreUnavailableError: with `surely`, the store is away and the spool has not all of them.
    """
    only = indexes[0] if len(indexes) == 1 else None
    none: Mapping[int | None, StepRunOutputs] = {}

    def look(lineage: LineageStore) -> Mapping[int | None, StepRunOutputs]:
        return lineage.find_outputs(run_id, step, map_index=only)

    found = workspace.ask(look, none)[0]
    results = {index: found[index] for index in indexes if index in found}
    for index in _not_done(results, indexes):
        if (kept := _find_kept(workspace, step_run_id(run_id, step, index))) is not None:
            results[index] = kept
    if surely and (left := _not_done(results, indexes)):  # the spool may have been replayed between the two looks
        found = workspace.ask_surely(look)
        results.update({index: found[index] for index in left if index in found})
    return results


def _find_kept(workspace: Workspace, step_run: str) -> StepRunOutputs | None:
    """What a step run made, as it is known without the lineage store: to this process, or in the spool."""
    outputs = workspace.own_outputs(step_run) if workspace.is_away else None
    if outputs is None:
        outputs = spool.find_outputs(workspace.artifacts, step_run)
    return None if outputs is None else StepRunOutputs("completed", outputs)


def _not_done(results: Mapping[int, StepRunOutputs], indexes: Sequence[int]) -> list[int]:
    return [index for index in indexes if index not in results or results[index].status not in DONE]


def find_result(workspace: Workspace, run_id: str, step: str, *, surely: bool = False) -> StepRunOutputs | None:
    """What a step made, which is not mapped; None where nothing is known of it. `surely` as for `find_results`."""
    none: Mapping[int | None, StepRunOutputs] = {}

    def look(lineage: LineageStore) -> Mapping[int | None, StepRunOutputs]:
        return lineage.find_outputs(run_id, step)

    found = workspace.ask(look, none)[0].get(None)
    if found is not None and found.status in DONE:
        return found
    if (kept := _find_kept(workspace, step_run_id(run_id, step))) is not None:
        return kept
    # The spool may have been replayed between the two looks.
    return workspace.ask_surely(look).get(None) if surely else found
