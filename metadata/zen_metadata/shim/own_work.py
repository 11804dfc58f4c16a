"""The work of the steps that Zen makes itself: a gate answers its condition, an expander begins a map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zen_core.contract.bindings import Binding, ExternalBinding, iter_outputs
from zen_core.contract.conditions import ConditionError, condition_text, evaluate
from zen_core.contract.values import from_json
from zen_core.errors import GateError, MapError
from zen_metadata.artifacts.failures import check_not_deleted, describe
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.query.rules import ANSWERS
from zen_metadata.shim.elements import save_collection
from zen_metadata.shim.inputs import ArtifactLeaf, ListPlan, LoadPlan, SecretLeaf, ValueLeaf
from zen_metadata.shim.work import Folder, Work, WorkResult, load_plan

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore, StoredArtifact

OWN_KINDS = frozenset(ANSWERS)
"""The kinds of steps that run no code of the user's."""
_SCALARS = (bool, int, float, str)
_LARGEST_OPERAND_BYTES = 64 * 1024


def do_own_work(
    work: Work, artifacts: ArtifactStore, *, max_elements: int | None = None, limit_name: str = "", chunk: int = 1
) -> WorkResult:
    """Do the work of a gate or an expander.

    Args:
        max_elements: how many elements the target takes.
        limit_name: the setting that says so, as messages name it.
        chunk: how many elements share a native task.

    Raises:
        GateError: the condition cannot be told.
        MapError: what is mapped is no list, the lists differ in length, or there are too many elements.
    """
    where = f"step {work.step.name!r} of pipeline {work.pipeline!r}"
    folder = Folder(work.scratch)
    if work.step.kind == "gate":
        answer = artifacts.save(_evaluate(work, artifacts, folder, where), scratch=folder.new("out"))
        return WorkResult({ANSWERS["gate"]: answer}, (), {})
    lists = {port: _items_of(port, plan, artifacts, folder, where) for port, plan in work.plans.items()}
    count = _count(lists, where)
    if max_elements is not None and count > max_elements:
        raise _too_many(count, max_elements, limit_name, chunk, where)
    outputs = {ANSWERS["expander"]: artifacts.save(count, scratch=folder.new("out"))}
    for port, items in lists.items():
        elements = _elements_of(items, artifacts, folder, f"input {port!r} of {where}")
        outputs[port] = save_collection(elements, artifacts, folder.new("out"))
    return WorkResult(outputs, (), {})


# -- gates -----------------------------------------------------------------------------------------------------------


def _evaluate(work: Work, artifacts: ArtifactStore, folder: Folder, where: str) -> bool:
    condition = work.step.condition
    assert condition is not None, "the IR's validation sees to it"
    bindings = {item.name: item.binding for item in work.step.inputs}
    values = {port: _operand(port, plan, bindings[port], artifacts, folder, where) for port, plan in work.plans.items()}
    try:
        return evaluate(condition, values)
    except ConditionError as error:
        raise GateError(
            f"the condition `{condition_text(condition)}` cannot be told: {error}",
            where=where,
            why="; ".join(f"{port} is {_source_of(bindings[port])}" for port in values),
            hint="let the step return a value that can be compared",
        ) from None


def _operand(
    port: str, plan: LoadPlan, binding: Binding, artifacts: ArtifactStore, folder: Folder, where: str
) -> object:
    """The scalar that an input of a gate is."""
    record = plan.record if isinstance(plan, ArtifactLeaf) else None
    if record is not None:
        check_not_deleted(record, describe(record))
        if record.has_inline_value:
            return record.inline_value
        if record.size_bytes > _LARGEST_OPERAND_BYTES:
            raise _no_scalar(port, record.type, record, binding, where)
    if isinstance(plan, SecretLeaf):
        raise GateError(
            f"the condition reads the secret {plan.name}",
            where=where,
            why="its answer would tell what the secret is",
            hint="decide in a step, and let the condition read what the step returns",
        )
    value = from_json(plan.value) if isinstance(plan, ValueLeaf) else load_plan(plan, None, artifacts, folder)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a scalar of numpy or pandas
        value = value.item()
    if value is not None and type(value) not in _SCALARS:
        raise _no_scalar(port, record.type if record is not None else type(value).__name__, record, binding, where)
    return value


def _no_scalar(port: str, type_: str, record: ArtifactRecord | None, binding: Binding, where: str) -> GateError:
    size = "" if record is None else f" of {_size(record.size_bytes)}"
    return GateError(
        f"the condition reads {port!r}, which is a {type_}{size} and no scalar",
        where=where,
        why=f"it is {_source_of(binding)}; a condition compares numbers, text, bools and None",
        hint="let the step return the number or the bool as an output of its own",
    )


def _source_of(binding: Binding) -> str:
    outputs = [f"output {output.output!r} of step {output.step!r}" for output in iter_outputs(binding)]
    if outputs:
        return " or ".join(outputs)
    return f"artifact {binding.artifact!r}" if isinstance(binding, ExternalBinding) else f"a {binding.kind}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes} bytes"


# -- expanders -------------------------------------------------------------------------------------------------------


def _items_of(port: str, plan: LoadPlan, artifacts: ArtifactStore, folder: Folder, where: str) -> list[Any]:
    """The elements: as values, or as the artifacts that they are, where steps or another map made each of them."""
    if isinstance(plan, ListPlan):
        return [
            item.record if isinstance(item, ArtifactLeaf) else load_plan(item, None, artifacts, folder)
            for item in plan.items
        ]
    value = load_plan(plan, None, artifacts, folder)
    if not isinstance(value, (list, tuple)):
        raise MapError(
            f"{port!r} is a {type(value).__name__}, and only a list or a tuple can be mapped",
            where=where,
            hint="let the step return a list; or pass it whole to every element: broadcast(...)",
        )
    return list(value)


def _count(lists: dict[str, list[Any]], where: str) -> int:
    lengths = {port: len(items) for port, items in lists.items()}
    if len(set(lengths.values())) > 1:
        raise MapError(
            "the lists that are mapped together differ in length: "
            + ", ".join(f"{port} has {length}" for port, length in lengths.items()),
            where=where,
            hint="make them equally long; or pass one whole to every element: broadcast(...)",
        )
    return next(iter(lengths.values()))


def _too_many(count: int, max_elements: int, limit_name: str, chunk: int, where: str) -> MapError:
    needed = math.ceil(count * chunk / max_elements)
    limit = f"{max_elements // chunk} tasks" if chunk > 1 else f"{max_elements} elements"
    raise_it = f", or raise {limit_name}" if limit_name else ""
    return MapError(
        f"the list has {count} elements, and {limit_name or 'this target'} lets {max_elements} run at most: "
        f"map with chunk={needed}",
        where=where,
        why=f"{limit_name or 'its limit'} is {limit}" + (f" of {chunk} elements" if chunk > 1 else ""),
        hint=f"let a task run several: .map(..., chunk={needed}){raise_it}",
    )


def _elements_of(
    items: Sequence[Any], artifacts: ArtifactStore, folder: Folder, where: str
) -> list[ArtifactRecord | StoredArtifact]:
    """What is stored already is taken over; anything else is stored, once per content."""
    new = [index for index, item in enumerate(items) if not isinstance(item, ArtifactRecord)]
    wheres = [f"element {index} of {where}" for index in new]
    stored = artifacts.save_all([items[index] for index in new], scratch=folder.new("out"), wheres=wheres)
    made = dict(zip(new, stored, strict=True))
    return [made.get(index, item) for index, item in enumerate(items)]
