"""How the conformance suite reads back what this adapter emits: from the text, and with Prefect itself."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

from zen_core.adapter.form import form_field
from zen_core.adapter.protocol import EmittedFile
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep
from zen_prefect.deployment_file import FILE


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
        return form_field(parameter).default

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

    def pipeline(self) -> EmittedPipeline:
        """All that the module says."""
        upstream = self._upstream()
        if len(upstream) != len(self._tasks):
            raise ValueError("a task is defined and not called, or called and not defined")
        defaults = dict(zip(reversed(self._flow.args.args), reversed(self._flow.args.defaults), strict=False))
        tags = next(line for line in self._deployment.splitlines() if line.strip().startswith("tags: "))
        return EmittedPipeline(
            steps={_name(node): _step(node, upstream[_name(node)]) for node in self._tasks.values()},
            defaults={argument.arg: ast.literal_eval(value) for argument, value in defaults.items()},
            required=frozenset(item.arg for item in self._flow.args.args if item not in defaults),
            tags=frozenset(tag.replace("{ {", "{{") for tag in ast.literal_eval(tags.partition(":")[2].strip())),
        )

    def _upstream(self) -> dict[str, frozenset[str]]:
        """For each step those whose futures its call is given, or over whose futures its calls are made."""
        step_by_variable: dict[str, str] = {}
        found: dict[str, frozenset[str]] = {}
        for node in self._flow.body:
            if not isinstance(node, ast.Assign):
                continue
            target, value = ast.unparse(node.targets[0]), node.value
            lists: list[ast.expr] = []
            if isinstance(value, ast.ListComp):
                lists, value = [value.generators[0].iter], value.elt
            assert isinstance(value, ast.Call)
            given = [*value.args, *(keyword.value for keyword in value.keywords), *lists]
            read = frozenset(
                step_by_variable[name] for item in given for name in _names(item) if name in step_by_variable
            )
            if ast.unparse(value.func) == "parts_of":
                (step_by_variable[target],) = read
                continue
            step = _name(self._tasks[ast.unparse(value.func).removesuffix(".submit")])
            if step in found:
                raise ValueError(f"the task {step} is called twice")
            found[step] = read
            step_by_variable[target] = step
        return found


def _step(node: ast.FunctionDef, upstream: frozenset[str]) -> EmittedStep:
    arguments = _keywords(node, "task")
    delay = ast.literal_eval(arguments["retry_delay_seconds"]) if "retry_delay_seconds" in arguments else 0
    (body,) = (item.value for item in node.body if isinstance(item, ast.Return))
    assert isinstance(body, ast.Call)
    is_mapped = ast.unparse(body.func) == "run_part"
    condition = ast.literal_eval(arguments["description"]) if "description" in arguments else ""
    return EmittedStep(
        upstream=upstream,
        retries=ast.literal_eval(arguments["retries"]),
        retry_delay_seconds=delay[0] if isinstance(delay, list) else delay,
        branch=_branch(condition),
        mapped=is_mapped,
        max_parallel=ast.literal_eval(body.args[2]) if is_mapped and len(body.args) > 2 else None,
    )


def _branch(condition: str) -> tuple[str, bool] | None:
    """The gate and its answer, from the task's description."""
    found = re.match(r"Runs if `(\w+)` answers (yes|no): ", condition)
    return (found[1], found[2] == "yes") if found else None


def _decorator(node: ast.FunctionDef, name: str) -> ast.Call | None:
    calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
    return next((item for item in calls if ast.unparse(item.func) == name), None)


def _keywords(node: ast.FunctionDef, name: str) -> dict[str, ast.expr]:
    call = _decorator(node, name)
    return {item.arg: item.value for item in call.keywords if item.arg} if call else {}


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
