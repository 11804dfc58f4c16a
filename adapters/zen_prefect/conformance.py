"""How the conformance suite reads back what this adapter emits: from the text, and with Prefect itself."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import EmittedFile
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep
from zen_prefect.deployment_file import FILE
from zen_prefect.lowering import lower_parameter


class Conformance:
    """Reads emitted flow modules."""

    allowed_imports = frozenset({"prefect"})

    def read(self, files: tuple[EmittedFile, ...]) -> EmittedPipeline:
        """The pipeline as the text alone says it."""
        (module,) = (file for file in files if file.path.endswith(".py"))
        (deployment,) = (file for file in files if file.path == FILE)
        return _FlowReader(ast.parse(module.content), deployment.content.decode()).pipeline()

    def expected_default(self, spec: PipelineSpec, name: str) -> Any:
        """The default as the form shows it."""
        (parameter,) = (parameter for parameter in spec.parameters if parameter.name == name)
        return lower_parameter(parameter).default

    def load(self, folder: Path) -> dict[str, EmittedPipeline]:
        """All flows of a folder by name, as Prefect makes them when it imports the modules."""
        return {flow.name: _from_flow(flow, tasks) for flow, tasks in map(_import_flow, sorted(folder.glob("*.py")))}


class _FlowReader:
    """Walks a module's task functions and the one function that is the flow."""

    def __init__(self, tree: ast.Module, deployment: str) -> None:
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        (self._flow,) = (node for node in functions if _decorator(node, "flow"))
        self._tasks = {node.name: node for node in functions if _decorator(node, "task")}
        self._deployment = deployment
        self._step_by_variable: dict[str, str] = {}
        self._limits: dict[str, int] = {}
        self._steps: dict[str, EmittedStep] = {}

    def pipeline(self) -> EmittedPipeline:
        """All that the module says."""
        self._read(self._flow.body, None)
        if len(self._steps) != len(self._tasks):
            raise ValueError("a task is defined and not called, or called and not defined")
        defaults = dict(zip(reversed(self._flow.args.args), reversed(self._flow.args.defaults), strict=False))
        tags = next(line for line in self._deployment.splitlines() if line.strip().startswith("tags: "))
        return EmittedPipeline(
            steps=self._steps,
            defaults={argument.arg: ast.literal_eval(value) for argument, value in defaults.items()},
            required=frozenset(item.arg for item in self._flow.args.args if item not in defaults),
            tags=frozenset(tag.replace("{ {", "{{") for tag in ast.literal_eval(tags.partition(":")[2].strip())),
        )

    def _read(self, nodes: list[ast.stmt], branch: tuple[str, bool] | None) -> None:
        """The submissions of a block in the order of the text: what is under an `if`, in a lane, or with a runner."""
        for node in nodes:
            if isinstance(node, ast.If):
                self._read(node.body, self._branch(node.test) or branch)
                self._read(node.orelse, branch)
            elif isinstance(node, ast.FunctionDef):
                self._read(node.body, branch)
            elif isinstance(node, ast.With):
                for item in node.items:
                    (threads,) = (ast.literal_eval(value) for value in _keywords_of(item.context_expr).values())
                    self._limits[ast.unparse(item.optional_vars or item)] = threads
                self._read(node.body, branch)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._read_submission(ast.unparse(node.targets[0]), node.value, branch)

    def _branch(self, test: ast.expr) -> tuple[str, bool] | None:
        """The gate and its answer, of `_answer(gate_refs)` or `_answer(gate_refs) is False`; None for anything else."""
        asked = test.left if isinstance(test, ast.Compare) else test
        if not (isinstance(asked, ast.Call) and ast.unparse(asked.func) == "_answer"):
            return None
        return self._step_by_variable[ast.unparse(asked.args[0])], asked is test

    def _read_submission(self, variable: str, made: ast.Call, branch: tuple[str, bool] | None) -> None:
        owner, _, method = ast.unparse(made.func).rpartition(".")
        given = [*made.args, *(keyword.value for keyword in made.keywords)]
        limit = None
        if owner in self._limits:  # a task runner, which is given the task
            limit = self._limits[owner] if owner.rstrip("_").endswith("_limited") else None
            owner = ast.unparse(given.pop(0))
        node = self._tasks[owner]
        if _name(node) in self._steps:
            raise ValueError(f"the task {owner} is called twice")
        names = {name for item in given for name in _names(item) if name in self._step_by_variable}
        upstream = {self._step_by_variable[name] for name in names}
        self._steps[_name(node)] = replace(
            _step(node),
            upstream=frozenset({*upstream, *([branch[0]] if branch else [])}),
            branch=branch,
            mapped=method == "map",
            max_parallel=limit,
        )
        self._step_by_variable[variable] = _name(node)


def _step(node: ast.FunctionDef) -> EmittedStep:
    arguments = _keywords(node, "task")
    delay = ast.literal_eval(arguments["retry_delay_seconds"]) if "retry_delay_seconds" in arguments else 0
    return EmittedStep(
        upstream=frozenset(),
        retries=ast.literal_eval(arguments["retries"]),
        retry_delay_seconds=delay[0] if isinstance(delay, list) else delay,
    )


def _decorator(node: ast.FunctionDef, name: str) -> ast.Call | None:
    calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
    return next((item for item in calls if ast.unparse(item.func) == name), None)


def _keywords(node: ast.FunctionDef, name: str) -> dict[str, ast.expr]:
    return _keywords_of(_decorator(node, name))


def _keywords_of(node: ast.expr | None) -> dict[str, ast.expr]:
    return {item.arg: item.value for item in node.keywords if item.arg} if isinstance(node, ast.Call) else {}


def _name(node: ast.FunctionDef) -> str:
    return str(ast.literal_eval(_keywords(node, "task")["name"]))


def _names(node: ast.expr) -> list[str]:
    return [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]


def _import_flow(path: Path) -> tuple[Any, dict[str, Any]]:
    """The flow of a module and its tasks by name. Raises ValueError where the module has not just one flow."""
    from prefect import Flow, Task

    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (flow,) = (item for item in vars(module).values() if isinstance(item, Flow))
    return flow, {item.name: item for item in vars(module).values() if isinstance(item, Task)}


def _from_flow(flow: Any, tasks: dict[str, Any]) -> EmittedPipeline:
    """What Prefect knows before a run: it has no graph until the flow's function is called."""
    properties = flow.parameters.properties
    required = frozenset(flow.parameters.required or ())
    return EmittedPipeline(
        steps={
            name: EmittedStep(
                upstream=frozenset(), retries=task.retries, retry_delay_seconds=_first(task.retry_delay_seconds)
            )
            for name, task in tasks.items()
        },
        defaults={name: field.get("default") for name, field in properties.items() if name not in required},
        required=required,
    )


def _first(delay: Any) -> float:
    return float((delay[0] if isinstance(delay, list) else delay) or 0)
