"""How the conformance suite reads back what this adapter emits: from the text, and from what KFP makes of it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zen_core.adapter.protocol import EmittedFile
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep
from zen_kfp.lowering import default_text

_RUNS_IF = re.compile(r"Runs if `(\w+)` answers (yes|no): ")


class Conformance:
    """Reads emitted modules, and pipelines as KFP compiles them."""

    allowed_imports = frozenset({"kfp"})

    def read(self, files: tuple[EmittedFile, ...]) -> EmittedPipeline:
        """The pipeline as the text alone says it."""
        (module,) = (file for file in files if file.path.endswith(".py"))
        return _ModuleReader(ast.parse(module.content)).pipeline()

    def expected_default(self, spec: PipelineSpec, name: str) -> Any:
        """The default as KFP's form shows it: a text of JSON."""
        (parameter,) = (parameter for parameter in spec.parameters if parameter.name == name)
        return default_text(parameter)

    def read_compiled(self, document: Mapping[str, Any]) -> EmittedPipeline:
        """The pipeline as KFP's compiler understood it; `document` is the first one of its YAML."""
        return _CompiledReader(document).pipeline()


def _tags(description: str) -> frozenset[str]:
    """The tags that stand in a pipeline's description."""
    lines = [line.removeprefix("Tags: ") for line in description.splitlines() if line.startswith("Tags: ")]
    return frozenset(json.loads(lines[-1])) if lines else frozenset()


# -- the text ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Component:
    """What a component's function says: the step that it runs, and under which condition."""

    step: str
    branch: tuple[str, bool] | None


@dataclass(frozen=True)
class _Scope:
    """What holds for all tasks of a block.

    Attributes:
        upstream: the steps that the pipeline which the block lies in waits for.
        given: the steps that stand behind that pipeline's inputs.
    """

    upstream: frozenset[str] = frozenset()
    given: Mapping[str, frozenset[str]] | None = None
    branch: tuple[str, bool] | None = None
    mapped: bool = False
    max_parallel: int | None = None


class _ModuleReader:
    """Walks the pipeline, and those that it calls."""

    def __init__(self, tree: ast.Module) -> None:
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        self._components = {node.name: _component(node) for node in functions if _has(node, "dsl.container_component")}
        pipelines = [node for node in functions if _has(node, "dsl.pipeline")]
        self._inner = {node.name: node for node in pipelines[:-1]}
        self._pipeline = pipelines[-1]
        self._steps: dict[str, EmittedStep] = {}

    def pipeline(self) -> EmittedPipeline:
        """All that the module says."""
        self._read(self._pipeline.body, _Scope(), {})
        if set(self._steps) != {item.step for item in self._components.values() if item.step}:
            raise ValueError("a component is defined and not called")
        arguments, given = self._pipeline.args.args, self._pipeline.args.defaults
        optional = arguments[len(arguments) - len(given) :]
        return EmittedPipeline(
            steps=self._steps,
            defaults={item.arg: ast.literal_eval(value) for item, value in zip(optional, given, strict=True)},
            required=frozenset(item.arg for item in arguments if item not in optional),
            tags=_tags(self._description()),
        )

    def _description(self) -> str:
        (decorator,) = self._pipeline.decorator_list
        assert isinstance(decorator, ast.Call)
        found = {item.arg: ast.literal_eval(item.value) for item in decorator.keywords}
        return str(found.get("description", ""))

    def _read(self, block: Sequence[ast.stmt], scope: _Scope, known: dict[str, frozenset[str]]) -> None:
        """The statements of a block; `known` are the steps of each variable, and is added to."""
        for node in block:
            if isinstance(node, ast.With):
                self._read(node.body, _within(node.items[0].context_expr, scope), known)
            elif isinstance(node, (ast.Assign, ast.Expr)) and isinstance(node.value, ast.Call):
                made = self._call(node.value, scope, known)
                if isinstance(node, ast.Assign):
                    known[ast.unparse(node.targets[0])] = made

    def _call(self, call: ast.Call, scope: _Scope, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
        """The steps that a call makes; none for one that sets something on a task."""
        name = ast.unparse(call.func)
        if name == "configured":
            (inner,) = call.args
            assert isinstance(inner, ast.Call)
            return self._task(inner, scope, known)
        if name in self._inner:
            return self._group(call, scope, known)
        variable, _, method = name.rpartition(".")
        for step in known.get(variable, ()):
            self._steps[step] = _set(self._steps[step], method, call)
        if method == "after":
            waits = frozenset(step for item in call.args for step in known[ast.unparse(item)])
            for step in known[variable]:
                self._steps[step] = replace(self._steps[step], upstream=self._steps[step].upstream | waits)
        return frozenset()

    def _task(self, call: ast.Call, scope: _Scope, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
        component = self._components[ast.unparse(call.func)]
        if not component.step:
            return frozenset()
        if component.step in self._steps:
            raise ValueError(f"the step {component.step} is called twice")
        if scope.branch not in (None, component.branch):
            raise ValueError(f"the step {component.step} lies in another branch than it says")
        read = frozenset(step for item in _inputs(call).values() for step in _steps_of(item, known, scope))
        self._steps[component.step] = EmittedStep(
            upstream=read | scope.upstream,
            branch=component.branch,
            mapped=scope.mapped,
            max_parallel=scope.max_parallel,
        )
        return frozenset({component.step})

    def _group(self, call: ast.Call, scope: _Scope, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
        function = self._inner[ast.unparse(call.func)]
        given = {name: _steps_of(item, known, scope) for name, item in _inputs(call).items()}
        waits = frozenset(step for steps in given.values() for step in steps)
        inside: dict[str, frozenset[str]] = {}
        before = set(self._steps)
        self._read(function.body, _Scope(upstream=waits, given=given), inside)
        return frozenset(set(self._steps) - before)


def _component(node: ast.FunctionDef) -> _Component:
    (body,) = (item.value for item in node.body if isinstance(item, ast.Return))
    assert isinstance(body, ast.Call)
    words = [str(item.value) for item in body.args if isinstance(item, ast.Constant)]
    found = _RUNS_IF.match(ast.get_docstring(node) or "")
    return _Component("".join(words[1:2]), (found[1], found[2] == "yes") if found else None)


def _within(context: ast.expr, scope: _Scope) -> _Scope:
    """What holds within `with dsl.If(...)`, `with dsl.ParallelFor(...)`."""
    assert isinstance(context, ast.Call)
    name = ast.unparse(context.func)
    keywords = {item.arg: ast.literal_eval(item.value) for item in context.keywords if item.arg}
    if name == "dsl.If":
        condition = context.args[0]
        assert isinstance(condition, ast.Compare)
        (gate,) = (scope.given or {})[ast.unparse(condition.left)]
        return replace(scope, branch=(gate, ast.literal_eval(condition.comparators[0]) == "true"))
    if name == "dsl.ParallelFor":
        return replace(scope, mapped=True, max_parallel=keywords.get("parallelism"))
    return scope


def _set(step: EmittedStep, method: str, call: ast.Call) -> EmittedStep:
    if method != "set_retry":
        return step
    keywords = {item.arg: item.value for item in call.keywords}
    delay = ast.literal_eval(keywords["backoff_duration"]).removesuffix("s")
    return replace(step, retries=ast.literal_eval(call.args[0]), retry_delay_seconds=float(delay))


def _inputs(call: ast.Call) -> dict[str, ast.expr]:
    return {item.arg: item.value for item in call.keywords if item.arg}


def _steps_of(value: ast.expr, known: Mapping[str, frozenset[str]], scope: _Scope) -> frozenset[str]:
    """The steps that a value comes from: `x_task.outputs["refs"]`, or an input of the pipeline that it stands in."""
    names = [item.id for item in ast.walk(value) if isinstance(item, ast.Name)]
    found = [known.get(name) or (scope.given or {}).get(name, frozenset()) for name in names]
    return frozenset().union(*found)


def _has(node: ast.FunctionDef, decorator: str) -> bool:
    return any(ast.unparse(item).partition("(")[0] == decorator for item in node.decorator_list)


# -- what KFP made of it ----------------------------------------------------------------------------------------


class _CompiledReader:
    """Walks the DAGs of a compiled pipeline. A task waits for what it names, and for what its DAG waits for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._components: Mapping[str, Any] = document["components"]
        self._executors: Mapping[str, Any] = document["deploymentSpec"]["executors"]
        self._steps: dict[str, EmittedStep] = {}

    def pipeline(self) -> EmittedPipeline:
        """All that the document says; whether a step lies in a branch, only where KFP decides it."""
        root = self._document["root"]
        self._read(root["dag"], _Scope())
        inputs = root.get("inputDefinitions", {}).get("parameters", {})
        return EmittedPipeline(
            steps=self._steps,
            defaults={name: item["defaultValue"] for name, item in inputs.items() if "defaultValue" in item},
            required=frozenset(name for name, item in inputs.items() if "defaultValue" not in item),
            tags=_tags(self._document["pipelineInfo"].get("description", "")),
        )

    def _read(self, dag: Mapping[str, Any], scope: _Scope) -> frozenset[str]:
        """The steps of a DAG."""
        tasks, made = dag["tasks"], dict[str, frozenset[str]]()
        for name in _sorted(tasks):
            task = tasks[name]
            waits = scope.upstream.union(*(made[other] for other in task.get("dependentTasks", ())))
            component = self._components[task["componentRef"]["name"]]
            if "dag" in component:
                made[name] = self._read(component["dag"], self._inside(task, scope, waits))
            else:
                made[name] = self._container(task, component, replace(scope, upstream=waits))
        return frozenset().union(*made.values())

    def _inside(self, task: Mapping[str, Any], scope: _Scope, waits: frozenset[str]) -> _Scope:
        found = replace(scope, upstream=waits)
        if "parameterIterator" in task:
            limit = task.get("iteratorPolicy", {}).get("parallelismLimit")
            return replace(found, mapped=True, max_parallel=limit)
        return found

    def _container(self, task: Mapping[str, Any], component: Mapping[str, Any], scope: _Scope) -> frozenset[str]:
        command, step, *_ = self._executors[component["executorLabel"]]["container"]["args"]
        if task.get("cachingOptions"):
            raise ValueError(f"KFP's cache is on for {step}")
        if command == "end-run":
            return frozenset()
        retry = task.get("retryPolicy", {})
        self._steps[step] = EmittedStep(
            upstream=scope.upstream,
            retries=int(retry.get("maxRetryCount", 0)),
            retry_delay_seconds=float(retry.get("backoffDuration", "0s").removesuffix("s")),
            mapped=scope.mapped,
            max_parallel=scope.max_parallel,
        )
        return frozenset({step})


def _sorted(tasks: Mapping[str, Any]) -> Iterator[str]:
    """The names of a DAG's tasks, each after those that it depends on."""
    done: set[str] = set()
    while len(done) < len(tasks):
        ready = [
            name for name, task in tasks.items() if name not in done and done.issuperset(task.get("dependentTasks", ()))
        ]
        done.update(ready)
        yield from ready
