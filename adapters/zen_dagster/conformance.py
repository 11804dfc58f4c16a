"""How the conformance suite reads back what this adapter emits: from the text, and with Dagster itself."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

from zen_core.adapter.form import form_field
from zen_core.adapter.protocol import EmittedFile
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep


class Conformance:
    """Reads emitted definitions modules."""

    allowed_imports = frozenset({"dagster"})

    def read(self, files: tuple[EmittedFile, ...]) -> EmittedPipeline:
        """The pipeline as the text alone says it."""
        (file,) = (file for file in files if file.path.endswith(".py"))
        return _JobReader(ast.parse(file.content)).pipeline()

    def expected_default(self, spec: PipelineSpec, name: str) -> Any:
        """The default as the launchpad shows it."""
        (parameter,) = (parameter for parameter in spec.parameters if parameter.name == name)
        return form_field(parameter).default

    def load(self, folder: Path) -> dict[str, EmittedPipeline]:
        """All jobs of a folder by name, as Dagster makes them when it imports the modules."""
        found = {}
        for path in sorted(folder.glob("*.py")):
            spec = importlib.util.spec_from_file_location(path.stem, path)
            if spec is None or spec.loader is None:
                raise ValueError(f"{path} is no module")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for job in module.defs.resolve_all_job_defs():
                if not job.name.startswith("__"):
                    found[job.name] = _from_job(job)
        return found


class _JobReader:
    """Walks a module's op functions and the one function that is the job."""

    def __init__(self, tree: ast.Module) -> None:
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        (self._job,) = (node for node in functions if _decorator(node, "dg.job"))
        self._ops = {node.name: node for node in functions if _decorator(node, "op")}
        self._parameters = next((node for node in functions if _decorator(node, "dg.resource")), None)
        self._gates = {name for name, node in self._ops.items() if _called(node)[0] == "ask"}
        self._maps = {node.name: node for node in self._job.body if isinstance(node, ast.FunctionDef)}
        self._step_by_variable: dict[str, str] = {}
        self._answers: dict[str, tuple[str, bool]] = {}
        self._upstream: dict[str, set[str]] = {}
        self._branch: dict[str, tuple[str, bool]] = {}

    def pipeline(self) -> EmittedPipeline:
        """All that the module says."""
        for node in self._job.body:
            if isinstance(node, (ast.Assign, ast.Expr)) and isinstance(node.value, ast.Call):
                self._read(node, node.value)
        steps = {_step(node) for node in self._ops.values()}
        if set(self._upstream) != steps:
            raise ValueError("an op is defined and not called, or called and not defined")
        defaults, required = self._read_parameters()
        tags = ast.literal_eval(_keywords(self._job, "dg.job")["tags"])
        return EmittedPipeline(
            steps={_step(node): self._emitted(node) for node in self._ops.values()},
            defaults=defaults,
            required=required,
            tags=frozenset(json.loads(tags.get("zen/tags", "[]"))),
        )

    def _read(self, node: ast.Assign | ast.Expr, made: ast.Call, part: str | None = None) -> None:
        """One call of an op, or of a map's function over its parts."""
        function = ast.unparse(made.func)
        if function.endswith(".map"):
            expander = self._step_by_variable[function.removesuffix(".map")]
            body = self._maps[ast.unparse(made.args[0])].body
            for inner in body:
                if isinstance(inner, (ast.Assign, ast.Expr)) and isinstance(inner.value, ast.Call):
                    self._read(inner, inner.value, part=expander)
            return
        step = _step(self._ops[function])
        if step in self._upstream:
            raise ValueError(f"the op of {step} is called twice")
        self._upstream[step] = set()
        if part in self._branch:  # a mapped step lies in the branch of its expander
            self._branch[step] = self._branch[part]
        for keyword in made.keywords:
            for name in _names(keyword.value):
                self._wait(step, name, part)
        if isinstance(node, ast.Expr):
            return
        targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
        for target, answer in zip(targets, (True, False), strict=False):
            variable = ast.unparse(target)
            self._step_by_variable[variable] = step
            if function in self._gates:
                self._answers[variable] = step, answer

    def _wait(self, step: str, variable: str, part: str | None) -> None:
        if variable == "part" and part is not None:
            self._upstream[step].add(part)
            return
        self._upstream[step].add(self._step_by_variable[variable])
        if variable in self._answers:
            self._branch[step] = self._answers[variable]

    def _emitted(self, node: ast.FunctionDef) -> EmittedStep:
        step = _step(node)
        arguments = _keywords(node, "op")
        policy = arguments.get("retry_policy")
        retry = {item.arg: item.value for item in policy.keywords} if isinstance(policy, ast.Call) else {}
        tags = ast.literal_eval(arguments["tags"]) if "tags" in arguments else {}
        limits = self._limits()
        return EmittedStep(
            upstream=frozenset(self._upstream[step]),
            retries=ast.literal_eval(retry["max_retries"]) if retry else 0,
            retry_delay_seconds=ast.literal_eval(retry["delay"]) if retry else 0,
            branch=self._branch.get(step),
            mapped=_called(node)[0] == "run_part",
            max_parallel=limits.get(tags.get("zen/map", "")),
        )

    def _limits(self) -> dict[str, int]:
        executor = _keywords(self._job, "dg.job").get("executor_def")
        configured = ast.literal_eval(executor.args[0]) if isinstance(executor, ast.Call) else {}
        return {item["value"]: item["limit"] for item in configured.get("tag_concurrency_limits", ())}

    def _read_parameters(self) -> tuple[dict[str, Any], frozenset[str]]:
        if self._parameters is None:
            return {}, frozenset()
        schema = _keywords(self._parameters, "dg.resource")["config_schema"]
        assert isinstance(schema, ast.Dict)
        defaults, required = {}, set()
        for key, field in zip(schema.keys, schema.values, strict=True):
            assert key is not None
            assert isinstance(field, ast.Call)
            name = ast.literal_eval(key)
            keywords = {item.arg: item.value for item in field.keywords}
            if "default_value" in keywords:
                defaults[name] = ast.literal_eval(keywords["default_value"])
            else:
                required.add(name)
        return defaults, frozenset(required)


def _decorator(node: ast.FunctionDef, name: str) -> ast.Call | None:
    calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
    return next((item for item in calls if ast.unparse(item.func) == name), None)


def _keywords(node: ast.FunctionDef, name: str) -> dict[str, ast.expr]:
    found = _decorator(node, name)
    return {item.arg: item.value for item in found.keywords if item.arg} if found else {}


def _called(node: ast.FunctionDef) -> tuple[str, list[ast.expr]]:
    """The function of the file that an op calls, and what it is given."""
    (body,) = (item.value for item in node.body if isinstance(item, (ast.Return, ast.Expr)))
    assert isinstance(body, ast.Call)
    return ast.unparse(body.func), list(body.args)


def _step(node: ast.FunctionDef) -> str:
    return str(ast.literal_eval(_called(node)[1][1]))


def _names(node: ast.expr) -> list[str]:
    return [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]


def _from_job(job: Any) -> EmittedPipeline:
    """What Dagster knows of the graph, by the ops' names."""
    upstream: dict[str, set[str]] = {name: set() for name in job.graph.node_dict}
    for invocation, inputs in job.graph.dependencies.items():
        for dependency in inputs.values():
            upstream[invocation.alias or invocation.name] |= {
                found.node for found in dependency.get_node_dependencies()
            }
    nodes = {name: node.definition for name, node in job.graph.node_dict.items()}
    return EmittedPipeline(
        steps={
            name: EmittedStep(
                upstream=frozenset(upstream[name]),
                retries=node.retry_policy.max_retries if node.retry_policy else 0,
                retry_delay_seconds=float(node.retry_policy.delay or 0) if node.retry_policy else 0.0,
            )
            for name, node in nodes.items()
        },
        tags=frozenset(json.loads(job.run_tags.get("zen/tags", "[]"))),
    )
