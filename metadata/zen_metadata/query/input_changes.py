"""What differs between an input of a step and the same input in an earlier run, in words."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zen_core.contract.bindings import Binding, ConstantBinding, ParameterBinding, SecretBinding, binding_from_json
from zen_core.errors import ZenError
from zen_metadata.lineage.records import ArtifactRecord, InputRecord, StepRunState
from zen_metadata.query.artifacts import full_name
from zen_metadata.query.differences.changes import same_value
from zen_metadata.query.differences.tables import as_frame, cell_count, compare_frames, compare_recorded, recorded_table
from zen_metadata.query.key_changes import Change
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores
from zen_metadata.query.words import count_text, list_text, value_text
from zen_metadata.shim.elements import Collections

_TABLES = frozenset({"pandas", "arrow"})
_MOST_BYTES = 16_000_000
_MOST_CELLS = 2_000_000
_MOST_JSON_BYTES = 1_000_000
_SHORT_VALUE = 40
"""Larger tables are not read: `zen why` answers at once."""


@dataclass(frozen=True)
class Side:
    """One of the two step runs that are compared, with what its inputs were.

    Attributes:
        bindings: where each input came from, by port.
        artifacts: those that its inputs were, by id.
    """

    run: Run
    state: StepRunState
    bindings: Mapping[str, Binding]
    artifacts: Mapping[str, ArtifactRecord]

    def root(self, port: str) -> InputRecord | None:
        """The input as a whole."""
        return next((item for item in self.state.inputs if item.port == port and not item.path), None)

    def items(self, port: str) -> dict[str, InputRecord]:
        """The items of a list or dict input, and the files within a value, by their path."""
        return {item.path: item for item in self.state.inputs if item.port == port and item.path}


def sides(stores: ReadStores, *pairs: tuple[Run, StepRunState]) -> list[Side]:
    """Step runs with what their inputs were; one query for the artifacts of all."""
    ids = {item.artifact_id for _, state in pairs for item in state.inputs if item.artifact_id}
    artifacts = stores.lineage.get_artifacts(sorted(ids)) if ids else {}
    return [Side(run, state, _bindings(run, state.step_run.step), artifacts) for run, state in pairs]


def _bindings(run: Run, step: str) -> dict[str, Binding]:
    for document in (*run.ir["steps"], *run.ir.get("hooks", ())):
        if document["name"] == step:
            return {item["name"]: binding_from_json(item["binding"]) for item in document["inputs"]}
    return {}


def compare_input(stores: ReadStores, port: str, before: Side, after: Side, *, upstream: str) -> Change:
    """What differs in one input.

    Args:
        upstream: the step of the later run that made it, in words; "" for none.
    """
    old, new = before.root(port), after.root(port)
    part = f"input:{port}"
    if old is None or new is None:
        state = "is new" if old is None else "is gone"
        return Change(part, f"input {port} {state}", old and old.digest, new and new.digest, upstream=upstream)
    known = _Known(stores)
    shown = [_value_of(side, known, item, port) for side, item in ((before, old), (after, new))]
    if all(found for found, _ in shown):
        values = [value for _, value in shown]
        what = f"input {port}: {value_text(values[0])} -> {value_text(values[1])}"
        return Change(part, what + _source(after, port), values[0], values[1], upstream=upstream)
    words = list(_differences(stores, known, port, before, after, old, new))
    what = f"input {port} differs{': ' if words else ''}{', '.join(words)}"
    return Change(part, what, old.digest, new.digest, upstream=upstream)


def _source(side: Side, port: str) -> str:
    binding = side.bindings.get(port)
    if isinstance(binding, ParameterBinding):
        return f" (parameter {binding.parameter})"
    return " (written in the pipeline)" if isinstance(binding, ConstantBinding) else ""


def _value_of(side: Side, known: _Known, item: InputRecord, port: str) -> tuple[bool, Any]:
    """Whether the value is known without loading it, and the value in JSON form."""
    binding = side.bindings.get(port)
    if item.artifact_id is None:
        if isinstance(binding, ConstantBinding):
            return True, binding.value
        if isinstance(binding, ParameterBinding) and binding.parameter in side.run.record.parameters:
            return not side.items(port), side.run.record.parameters[binding.parameter]
        return False, None
    record = known.record(side, item)
    return (False, None) if record is None or not record.has_inline_value else (True, record.inline_value)


def _differences(
    stores: ReadStores, known: _Known, port: str, before: Side, after: Side, old: InputRecord, new: InputRecord
) -> Iterator[str]:
    if isinstance(after.bindings.get(port), SecretBinding):
        yield "it names another secret"
        return
    left, right = before.items(port), after.items(port)
    if left or right:
        yield from _item_words(left, right)
        return
    one, other = known.record(before, old), known.record(after, new)
    if one is None or other is None:
        return
    if one.kind == other.kind == "source":
        yield _file_words(one, other)
    elif {one.serializer, other.serializer} <= _TABLES:
        yield from _table_words(stores, one, other)
    elif one.serializer == other.serializer == "json" and (words := _plain_words(stores, one, other)):
        yield words
    elif one.type != other.type:
        yield f"{one.type} -> {other.type}"
    elif full_name(one) != full_name(other):
        yield f"{full_name(one)} -> {full_name(other)}"
    elif one.metadata.get("shape") != other.metadata.get("shape"):
        yield f"shape {one.metadata.get('shape')} -> {other.metadata.get('shape')}"
    if reason := other.metadata.get("nondeterministic"):
        yield f"its digest may differ in each process ({reason})"


def _item_words(left: Mapping[str, InputRecord], right: Mapping[str, InputRecord]) -> Iterator[str]:
    if len(left) != len(right):
        yield f"{count_text(len(left), 'item')} -> {len(right)}"
    changed = [path for path in right if path in left and left[path].digest != right[path].digest]
    if changed:
        yield f"{list_text(changed)} changed"


def _file_words(one: ArtifactRecord, other: ArtifactRecord) -> str:
    if one.name != other.name:
        return f"file {one.name} -> {other.name}"
    size = "" if one.size_bytes == other.size_bytes else f", {one.size_bytes} -> {other.size_bytes} bytes"
    return f"the file {other.name} has other content{size}"


# -- plain values ----------------------------------------------------------------------------------------------------


def _plain_words(stores: ReadStores, one: ArtifactRecord, other: ArtifactRecord) -> str:
    """Two plain values: both, where they are short; else how many of their items differ. "" where they are long."""
    if max(one.size_bytes, other.size_bytes) > _MOST_JSON_BYTES or one.deleted_at or other.deleted_at:
        return ""
    try:
        before, after = (_json_of(stores, record) for record in (one, other))
    except ZenError:
        return ""
    texts = [value_text(value) for value in (before, after)]
    if max(map(len, texts)) <= _SHORT_VALUE:
        return f"{texts[0]} -> {texts[1]}"
    if isinstance(before, list) and isinstance(after, list):
        differing = sum(not same_value(*pair) for pair in zip(before, after, strict=False))
        length = "" if len(before) == len(after) else f"{count_text(len(before), 'item')} -> {len(after)}"
        return ", ".join(filter(None, (length, f"{count_text(differing, 'item')} changed" if differing else "")))
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if not same_value(before.get(key), after.get(key))]
        return f"{list_text([value_text(key) for key in keys])} changed"
    return ""


def _json_of(stores: ReadStores, record: ArtifactRecord) -> Any:
    """The value in JSON form, with the checks of every load: no class of the user's is needed for that."""
    data: Any = stores.load(replace(record, serializer="bytes", serializer_version=1, has_inline_value=False))
    return json.loads(bytes(data))


# -- tables ----------------------------------------------------------------------------------------------------------


def _table_words(stores: ReadStores, one: ArtifactRecord, other: ArtifactRecord) -> Iterator[str]:
    found = _compare_contents(stores, one, other) or compare_recorded(
        *(recorded_table(item.serializer, item.metadata) for item in (one, other))
    )
    columns, rows = found["columns"], found.get("row_changes")
    told = False
    if rows:
        for key in ("added", "removed", "changed", "moved"):
            if rows[key]:
                told = True
                yield f"{count_text(rows[key], 'row')} {key}"
    elif found["rows"]["before"] != found["rows"]["after"]:
        told = True
        yield f"{found['rows']['before']} -> {found['rows']['after']} rows"
    for words in _column_words(columns):
        told = True
        yield words
    if not told:
        yield "other values in the same columns"


def _column_words(columns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for key, state in (("added", "new"), ("removed", "gone")):
        if columns[key]:
            yield f"{state}: {count_text(len(columns[key]), 'column').partition(' ')[2]} {list_text([*columns[key]])}"
    for name, pair in list(columns["changed"].items())[:3]:
        yield f"column {name} {pair['before']} -> {pair['after']}"


def _compare_contents(stores: ReadStores, one: ArtifactRecord, other: ArtifactRecord) -> dict[str, Any] | None:
    """Both tables, read; None where they are large or cannot be read."""
    for record in (one, other):
        is_small = record.size_bytes <= _MOST_BYTES and cell_count(record.serializer, record.metadata) <= _MOST_CELLS
        if not is_small or record.deleted_at is not None:
            return None
    try:
        return compare_frames(*(as_frame(stores.load(record)) for record in (one, other)))
    except (ZenError, ImportError):
        return None  # what is recorded of them says less, and is there


# -- elements of maps ------------------------------------------------------------------------------------------------


class _Known:
    """Finds the records of inputs; those of elements of a list lie within the collection that holds them."""

    def __init__(self, stores: ReadStores) -> None:
        self._stores = stores

    def record(self, side: Side, item: InputRecord) -> ArtifactRecord | None:
        """The artifact that an input was; None where it is not known any more."""
        found = side.artifacts.get(item.artifact_id or "")
        index = side.state.step_run.map_index
        if found is None or found.digest == item.digest or index is None or found.deleted_at is not None:
            return found
        with tempfile.TemporaryDirectory(prefix="zen-") as scratch:
            try:
                return Collections(self._stores.artifacts).element(found, index, Path(scratch))
            except ZenError:
                return None
