"""The artifacts of two runs: which are the same, and how the others differ, as far as that is cheap to find out."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from zen_core.errors import ZenError
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.query.artifacts import full_name
from zen_metadata.query.differences.changes import Changes, compare_values, sorted_changes
from zen_metadata.query.differences.tables import (
    MOST_CELLS,
    as_frame,
    cell_count,
    compare_frames,
    compare_recorded,
    recorded_table,
)
from zen_metadata.query.differences.values import (
    compare_arrays,
    compare_plain,
    compare_texts,
    describe_model,
    recorded_array,
)
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores

MOST_BYTES = 50 * 1024 * 1024
"""Larger artifacts are not read, only compared by what is recorded of them."""
MOST_BYTES_IN_ALL = 200 * 1024 * 1024
_MOST_SHOWN_BYTES = 10_000
"""A value of more bytes is told by how many of its entries differ."""
_KINDS = {
    "json": "value", "text": "text", "pandas": "table", "arrow": "table", "numpy": "array", "sklearn": "model",
    "file": "file", "folder": "file",
}  # fmt: skip

Outputs = dict[str, dict[int | None, ArtifactRecord]]


def compare_artifacts(stores: ReadStores, before: Run, after: Run) -> Changes:
    """Outputs as `step.output`; what a run read from outside as `read:NAME`, a file or an artifact of other runs.

    An entry of `changed` tells both artifacts and in what they differ (`table`, `value`, `model`, …); one whose
    artifacts were not read says why under `not_read`. The elements of a map are told together, by their indexes.
    """
    left, right = _outputs_of(before), _outputs_of(after)
    reader = _Reader(stores)
    changed = {
        name: entry
        for name in sorted(left.keys() & right.keys())
        if (entry := _compare(reader, left[name], right[name])) is not None
    }
    reads = _compare_reads(stores, before, after)
    return sorted_changes(
        {name: _sides(right[name]) for name in right.keys() - left.keys()} | {**reads.added},
        {name: _sides(left[name]) for name in left.keys() - right.keys()} | {**reads.removed},
        changed | {**reads.changed},
    )


def _outputs_of(run: Run) -> Outputs:
    found: Outputs = {}
    for step in run.steps:
        for output, record in (step.state.outputs if step.state else {}).items():
            if record.kind == "value":
                found.setdefault(f"{step.name}.{output}", {})[step.map_index] = record
    return found


def _sides(elements: Mapping[int | None, ArtifactRecord]) -> dict[str, Any]:
    if elements.keys() == {None}:
        return describe_artifact(elements[None])
    return {"elements": len(elements), "type": next(iter(elements.values())).type}


def describe_artifact(record: ArtifactRecord) -> dict[str, Any]:
    """What is told of one artifact; `value` where it is a small scalar, `deleted` where it is a tombstone."""
    document: dict[str, Any] = {
        "artifact_id": record.artifact_id,
        "digest": record.digest,
        "type": record.type,
        "version": record.version,
        "size_bytes": record.size_bytes,
    }
    if record.has_inline_value:
        document["value"] = record.inline_value
    if record.deleted_at is not None:
        document["deleted"] = {
            "at": record.deleted_at.isoformat(),
            "by": record.deleted_by,
            "reason": record.deleted_reason,
        }
    return document


def _compare(
    reader: _Reader, before: Mapping[int | None, ArtifactRecord], after: Mapping[int | None, ArtifactRecord]
) -> dict[str, Any] | None:
    """An entry of `changed`; None where nothing differs."""
    if before.keys() == after.keys() == {None}:
        return _compare_one(reader, before[None], after[None]) if before[None].digest != after[None].digest else None
    both = before.keys() & after.keys()
    differing = [index for index in both if before[index].digest != after[index].digest]
    if not differing and before.keys() == after.keys():
        return None
    return {
        "elements": {
            "before": len(before),
            "after": len(after),
            "added": _in_order(after.keys() - before.keys()),
            "removed": _in_order(before.keys() - after.keys()),
            "changed": _in_order(differing),
        }
    }


def _in_order(indexes: Any) -> list[int]:
    # None is here where one of the runs has a map, and the other a plain step of this name.
    return sorted(-1 if index is None else index for index in indexes)


def _compare_one(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {"before": describe_artifact(before), "after": describe_artifact(after)}
    kinds = {_kind_of(record) for record in (before, after)}
    entry["kind"] = kind = kinds.pop() if len(kinds) == 1 else "other"
    compare = _COMPARISONS.get(kind)
    details, problem = compare(reader, before, after) if compare else ({}, "")
    entry |= details
    if problem:
        entry["not_read"] = problem
    if reason := before.metadata.get("nondeterministic") or after.metadata.get("nondeterministic"):
        entry["nondeterministic"] = str(reason)
    return entry


def _kind_of(record: ArtifactRecord) -> str:
    if record.serializer == "pickle" and record.type == "pandas.DataFrame":
        return "table"  # with objects in it that Parquet does not keep
    return _KINDS.get(record.serializer, "other")


class _Reader:
    """Reads pairs of artifacts while that is cheap."""

    def __init__(self, stores: ReadStores) -> None:
        self.stores = stores
        self._left = MOST_BYTES_IN_ALL
        self._unavailable = ""

    def read(
        self, read: Callable[[ArtifactRecord], Any], compare: Callable[[Any, Any], Any], *records: ArtifactRecord
    ) -> tuple[Any, str]:
        """What `compare` says of both values, or None and why they were not read."""
        size = sum(record.size_bytes for record in records)
        if max(record.size_bytes for record in records) > MOST_BYTES:
            return None, f"larger than {MOST_BYTES // 2**20} MiB"
        if size > self._left:
            return None, f"{MOST_BYTES_IN_ALL // 2**20} MiB of other artifacts were read before"
        if self._unavailable:
            return None, self._unavailable
        try:
            with warnings.catch_warnings():
                # That a model was stored with another version is said by the comparison of the environments.
                warnings.simplefilter("ignore")
                values = [read(record) for record in records]
                self._left -= size
                return compare(*values), ""
        except ZenError as error:
            problem = error.diagnostics[0]
            reason = f"{problem.message}: {problem.why}" if problem.why else problem.message
            if error.transient:  # the store does not answer: the next artifact need not find that out anew
                self._unavailable = reason
            return None, reason
        except Exception as error:  # of the user's own classes: what they say of themselves may fail in any way
            return None, f"comparing them fails: {type(error).__name__}: {error}"

    def json(self, record: ArtifactRecord) -> Any:
        """A plain value in JSON form: the user's own classes are not needed for that, and nothing of theirs runs."""
        return record.inline_value if record.has_inline_value else json.loads(self._bytes(record))

    def text(self, record: ArtifactRecord) -> str:
        """A long text."""
        return self._bytes(record).decode("utf-8", "surrogatepass")

    def _bytes(self, record: ArtifactRecord) -> bytes:
        # Read as bytes, with the checks of every load, whatever wrote them.
        found = self.stores.load(replace(record, serializer="bytes", serializer_version=1, has_inline_value=False))
        return bytes(found)


_Comparison = Callable[[_Reader, ArtifactRecord, ArtifactRecord], tuple[dict[str, Any], str]]
"""The details of an entry, and why the values were not read."""


def _compare_values(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> tuple[dict[str, Any], str]:
    whole = max(before.size_bytes, after.size_bytes) <= _MOST_SHOWN_BYTES
    found, problem = reader.read(reader.json, lambda old, new: compare_plain(old, new, whole=whole), before, after)
    return found or {}, problem


def _compare_texts(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> tuple[dict[str, Any], str]:
    found, problem = reader.read(reader.text, compare_texts, before, after)
    return found or {}, problem


def _compare_tables(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> tuple[dict[str, Any], str]:
    cells = max(cell_count(record.serializer, record.metadata) for record in (before, after))
    if cells > MOST_CELLS:
        found, problem = None, f"more than {MOST_CELLS:,} cells"
    else:
        found, problem = reader.read(lambda record: as_frame(reader.stores.load(record)), compare_frames, before, after)
    if found is None:
        found = compare_recorded(*(recorded_table(item.serializer, item.metadata) for item in (before, after)))
    return {"table": found}, problem


def _compare_arrays(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> tuple[dict[str, Any], str]:
    old, new = recorded_array(before.metadata), recorded_array(after.metadata)
    recorded = {name: {"before": old[name], "after": new[name]} for name in old}
    found, problem = reader.read(reader.stores.load, compare_arrays, before, after)
    return {"array": recorded | (found or {})}, problem


def _compare_models(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> tuple[dict[str, Any], str]:
    found, problem = reader.read(
        lambda record: describe_model(reader.stores.load(record)),
        lambda old, new: {
            "type": {"before": old["type"], "after": new["type"]},
            "parameters": compare_values(old["parameters"], new["parameters"]).to_json(),
        },
        before,
        after,
    )
    if found is None:
        found = {"type": {"before": before.type, "after": after.type}}
    return {"model": found}, problem


def _compare_files(reader: _Reader, before: ArtifactRecord, after: ArtifactRecord) -> tuple[dict[str, Any], str]:
    old, new = before.metadata, after.metadata
    details: dict[str, Any] = {"name": {"before": old.get("file_name"), "after": new.get("file_name")}}
    if "names" in old and "names" in new:
        left, right = dict.fromkeys(old["names"]), dict.fromkeys(new["names"])
        details["files"] = {"before": old["files"], "after": new["files"]}
        if len(left) == old["files"] and len(right) == new["files"]:
            details["added"] = [name for name in right if name not in left]
            details["removed"] = [name for name in left if name not in right]
    return {"file": details}, ""


_COMPARISONS: Mapping[str, _Comparison] = {
    "value": _compare_values,
    "text": _compare_texts,
    "table": _compare_tables,
    "array": _compare_arrays,
    "model": _compare_models,
    "file": _compare_files,
}


# -- what was read from outside --------------------------------------------------------------------------------------


def _compare_reads(stores: ReadStores, before: Run, after: Run) -> Changes:
    read_before, read_after = _ids_read(before), _ids_read(after)
    records = stores.lineage.get_artifacts(sorted(read_before | read_after)) if read_before ^ read_after else {}
    left, right = _named(records, read_before), _named(records, read_after)
    return Changes(
        {name: describe_artifact(right[name]) for name in right.keys() - left.keys()},
        {name: describe_artifact(left[name]) for name in left.keys() - right.keys()},
        {
            name: {"before": describe_artifact(left[name]), "after": describe_artifact(right[name]), "kind": "read"}
            for name in left.keys() & right.keys()
            if left[name].digest != right[name].digest
        },
    )


def _ids_read(run: Run) -> set[str]:
    """The artifacts that steps read and no step of the run made."""
    read = {item.artifact_id for state in run.states for item in state.inputs if item.artifact_id}
    return read - {record.artifact_id for state in run.states for record in state.outputs.values()}


def _named(records: Mapping[str, ArtifactRecord], ids: set[str]) -> dict[str, ArtifactRecord]:
    found = [records[artifact_id] for artifact_id in sorted(ids & records.keys())]
    return {
        f"read:{record.name if record.kind == 'source' else full_name(record)}": record
        for record in sorted(found, key=lambda record: record.version or 0)
        if record.kind != "internal"
    }
