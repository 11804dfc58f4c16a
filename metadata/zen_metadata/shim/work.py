"""The work itself: load the inputs, call the user's function, store what it returns.

The same code whether the step runs in this process or in a child.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from zen_core.contract.context import StepContext, StepFailure, _current
from zen_core.contract.files import File
from zen_core.contract.manifest import StepManifest
from zen_core.contract.values import from_json
from zen_core.errors import OutputError
from zen_metadata.shim.inputs import ArtifactLeaf, DictPlan, ListPlan, LoadPlan, SecretLeaf, ValueLeaf
from zen_metadata.shim.secrets import read_secret

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore, StoredArtifact


@dataclass(frozen=True)
class Work:
    """One execution of a step. Picklable, so that it can be handed to a child process."""

    step: StepManifest
    plans: Mapping[str, LoadPlan]
    run_id: str
    pipeline: str
    attempt_number: int
    map_index: int | None
    scratch: Path
    """This attempt's own folder, made by the first who needs it."""
    failures: tuple[StepFailure, ...] = ()
    """What a hook is told."""


@dataclass(frozen=True)
class WorkResult:
    """What an execution made."""

    outputs: Mapping[str, StoredArtifact]
    metrics: tuple[tuple[str, float, int | None], ...]
    params: Mapping[str, Any]
    mlflow_run_id: str | None = None


def do_work(
    work: Work,
    function: Callable[..., Any],
    artifacts: ArtifactStore,
    *,
    user_run: AbstractContextManager[str | None] | None = None,
    on_metrics: Callable[[WorkResult], None] | None = None,
) -> WorkResult:
    """Do the work. The user's exceptions pass through unchanged.

    Args:
        user_run: opened around the user's code; gives the MLflow run that belongs to this attempt.
        on_metrics: told the metrics and parameters also when the function raises.
    """
    where = f"step {work.step.name!r} of pipeline {work.pipeline!r}"
    folder = Folder(work.scratch)
    arguments = {
        name: load_plan(plan, _annotation_of(function, name), artifacts, folder) for name, plan in work.plans.items()
    }
    context = StepContext(
        run_id=work.run_id,
        pipeline=work.pipeline,
        step=work.step.name,
        attempt=work.attempt_number,
        map_index=work.map_index,
        scratch_factory=folder.of_user,
        failures=work.failures,
    )
    mlflow_run_id = None
    try:
        with user_run or nullcontext() as mlflow_run_id:
            value = call_in_context(function, arguments, context)
    finally:
        if on_metrics is not None:
            on_metrics(WorkResult({}, tuple(context.metrics), context.params, mlflow_run_id))
    for plan in work.plans.values():
        _check_sources(plan)
    names = [output.name for output in work.step.outputs]
    wheres = [f"output {name!r} of {where}" for name in names]
    stored = artifacts.save_all(split_outputs(work.step, value, where), scratch=folder.new("out"), wheres=wheres)
    outputs = dict(zip(names, stored, strict=True))
    return WorkResult(outputs, tuple(context.metrics), context.params, mlflow_run_id)


def call_in_context(function: Callable[..., Any], arguments: Mapping[str, Any], context: StepContext) -> Any:
    """Call the function with `current()` set; a coroutine function gets an event loop of its own."""
    token = _current.set(context)
    try:
        if inspect.iscoroutinefunction(function):
            return asyncio.run(function(**arguments))
        return function(**arguments)
    finally:
        _current.reset(token)


def split_outputs(step: StepManifest, value: Any, where: str) -> list[Any]:
    """The values of the declared outputs, in order. Raises OutputError when the count is wrong."""
    if not step.outputs:
        return []
    if len(step.outputs) == 1:
        if inspect.isgenerator(value) or inspect.isasyncgen(value):
            raise OutputError(
                "the step returned a generator",
                where=where,
                hint="return a list, or what the generator makes",
            )
        return [value]
    names = ", ".join(output.name for output in step.outputs)
    if not isinstance(value, (tuple, list)) or len(value) != len(step.outputs):
        got = f"{len(value)} values" if isinstance(value, (tuple, list)) else f"a {type(value).__name__}"
        raise OutputError(
            f"the step declares {len(step.outputs)} outputs ({names}) and returned {got}",
            where=where,
            hint=f"return a tuple of {len(step.outputs)} values, in this order",
        )
    return list(value)


class Folder:
    """Hands out folders below the attempt's scratch folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0

    def new(self, purpose: str) -> Path:
        """The path of a folder that nobody else uses; made by the first who needs it."""
        self._count += 1
        return self._root / f"{purpose}{self._count}"

    def of_user(self) -> Path:
        """The folder that the step's own code may use."""
        folder = self._root / "user"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def load_plan(plan: LoadPlan, into: Any, artifacts: ArtifactStore, folder: Folder) -> Any:
    """The value of an input; `into` is the annotation of the parameter that takes it."""
    if isinstance(plan, ArtifactLeaf):
        return artifacts.load(plan.record, into=into, scratch=folder.new("in"))
    if isinstance(plan, SecretLeaf):
        return read_secret(plan.name)
    if isinstance(plan, ValueLeaf):
        return _shape(_localise(from_json(plan.value), plan, folder), into)
    if isinstance(plan, ListPlan):
        inner = _item_annotation(into)
        items = [load_plan(item, inner, artifacts, folder) for item in plan.items]
        return tuple(items) if plan.as_tuple else items
    return {key: load_plan(item, _item_annotation(into), artifacts, folder) for key, item in plan.items.items()}


def _localise(value: Any, leaf: ValueLeaf, folder: Folder) -> Any:
    """Put the local path of the content into each file of the value."""
    if not leaf.sources:
        return value
    if isinstance(value, File):
        from zen_metadata.artifacts.files import open_locally

        scratch = folder.new("file")
        return File(value.reference, local_path=str(open_locally(leaf.sources[value.reference], scratch)))
    if isinstance(value, list):
        return [_localise(item, leaf, folder) for item in value]
    if isinstance(value, tuple):
        return tuple(_localise(item, leaf, folder) for item in value)
    if isinstance(value, dict):
        return {key: _localise(item, leaf, folder) for key, item in value.items()}
    return value


def _check_sources(plan: LoadPlan) -> None:
    """Raise MissingInputError where a local file is another one than the key tells of: it changed during the work."""
    if isinstance(plan, ValueLeaf) and plan.sources:
        from zen_metadata.artifacts.files import check_unchanged
        from zen_metadata.artifacts.filesystems import is_local

        for source in plan.sources.values():
            if is_local(source.url):  # of others, a copy was read
                check_unchanged(source)
    elif isinstance(plan, (ListPlan, DictPlan)):
        for item in plan.items if isinstance(plan, ListPlan) else plan.items.values():
            _check_sources(item)


def _shape(value: Any, into: Any) -> Any:
    """A file as what the step asks for: a File, or a plain path."""
    if isinstance(value, File) and isinstance(into, type) and issubclass(into, PurePath):
        return value.path
    return value


def _item_annotation(into: Any) -> Any:
    arguments = typing.get_args(into)
    return arguments[-1] if arguments else None


@lru_cache(maxsize=4096)
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except (NameError, AttributeError, TypeError, SyntaxError):
        return {}  # an annotation that cannot be resolved says nothing about how to load


def _annotation_of(function: Callable[..., Any], name: str) -> Any:
    return _hints(function).get(name)
