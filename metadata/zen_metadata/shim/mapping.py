"""Runs the elements of a map within one native task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zen_core.contract.manifest import PipelineManifest
from zen_core.errors import MissingInputError, StepSkipped
from zen_metadata.query.rules import ANSWERS
from zen_metadata.shim.elements import find_result, find_results
from zen_metadata.shim.run_step import StepCall, run_step
from zen_metadata.shim.standing import UpstreamFailedError
from zen_metadata.shim.workspace import Workspace

_COUNT = ANSWERS["expander"]
_DONE = frozenset({"completed", "cached"})


def tasks_of(refs: Mapping[str, Any], chunk_size: int) -> range:
    """The native tasks of a mapped step, of what its expander handed over: one for each `chunk_size` elements."""
    return range(math.ceil(int(refs[_COUNT]["value"]) / chunk_size))


def run_elements(call: StepCall, workspace: Workspace, *, chunk: int) -> None:
    """Run the elements of one native task of a mapped step, each as a step run of its own.

    One that fails does not stop the others. On a further attempt those that are done in this run are kept, unless
    nothing is to be looked up.

    Args:
        call: the step's call; each element gets its own index.
        chunk: the number of the native task, from 0.

    Raises:
        StepSkipped: the map lies in a branch that was not taken.
        BaseException: what the first element that failed has raised, with a note that names the others.
    """
    indexes: Sequence[int] = _indexes(call, workspace, chunk)
    if call.number > 1 and call.look_up:
        indexes = _left(call, workspace, indexes)
    failed: list[tuple[int, Exception]] = []
    for index in indexes:
        try:
            run_step(replace(call, map_index=index), workspace)
        except StepSkipped:
            raise
        except Exception as error:
            failed.append((index, error))
    if failed:
        # What failed by itself says more than what only waited for it.
        failed.sort(key=lambda item: isinstance(item[1], UpstreamFailedError))
        _, first = failed[0]
        if others := ", ".join(str(index) for index, _ in failed[1:]):
            first.add_note(f"zen: of this task's elements, {others} failed too")
        raise first


def count_of(manifest: PipelineManifest, step: str, call: StepCall, workspace: Workspace) -> int:
    """How many elements a mapped step has: as its expander handed over, else as it is recorded.

    Raises:
        MissingInputError: the expander did not run.
    """
    expander = manifest.steps[step].expander
    handed = (call.upstream.get(expander) or {}).get(_COUNT)
    if handed is not None:
        return int(handed["value"])
    found = find_result(workspace, call.run.run_id, expander, surely=True)
    if found is None or found.status not in _DONE or _COUNT not in found.outputs:
        raise MissingInputError(
            f"the map of step {step!r} has not begun",
            where=f"step {step!r} of pipeline {manifest.pipeline!r}",
            hint=f"run step {expander!r} again",
        )
    return int(found.outputs[_COUNT].inline_value)


def _indexes(call: StepCall, workspace: Workspace, chunk: int) -> range:
    size = call.manifest.steps[call.step].chunk
    count = count_of(call.manifest, call.step, call, workspace)
    return range(chunk * size, min(count, (chunk + 1) * size))


def _left(call: StepCall, workspace: Workspace, indexes: Sequence[int]) -> list[int]:
    """The elements that are not done in this run."""
    known = find_results(workspace, call.run.run_id, call.step, indexes) if indexes else {}
    done = {
        index
        for index, result in known.items()
        if result.status in _DONE and all(workspace.artifacts.exists(item.location) for item in result.outputs.values())
    }
    return [index for index in indexes if index not in done]
