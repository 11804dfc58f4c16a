"""How the conformance suite reads back what this adapter emits, from the text alone."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from zen_core.adapter.form import form_field
from zen_core.adapter.protocol import EmittedFile
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep


class Conformance:
    """Reads emitted modules."""

    allowed_imports = frozenset({"kfp"})
    coarse_order = True

    def read(self, files: tuple[EmittedFile, ...]) -> EmittedPipeline:
        """The pipeline as the text alone says it."""
        (file,) = (file for file in files if file.path.endswith(".py"))
        (manifest,) = (file for file in files if file.path.endswith("/manifest.json"))
        # KFP has no tags: they travel in the manifest.
        tags = json.loads(manifest.content)["ir"].get("tags", ())
        return _Reader(ast.parse(file.content)).pipeline(frozenset(tags))

    def expected_default(self, spec: PipelineSpec, name: str) -> Any:
        """The default as the form shows it."""
        (parameter,) = (parameter for parameter in spec.parameters if parameter.name == name)
        return form_field(parameter).default


@dataclass(frozen=True)
class _Scope:
    """What holds for all steps of a branch or a loop."""

    upstream: frozenset[str] = frozenset()
    branch: tuple[str, bool] | None = None
    mapped: bool = False
    max_parallel: int | None = None


class _Reader:
    """Walks the root pipeline, and those that it calls."""

    def __init__(self, tree: ast.Module) -> None:
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        self._components = {node.name: _step_of(node) for node in functions if _is(node, "dsl.container_component")}
        self._groups = {node.name: node for node in functions if _is(node, "dsl.pipeline")}
        (self._root,) = (node for node in self._groups.values() if isinstance(node.decorator_list[0], ast.Call))
        self._steps: dict[str, EmittedStep] = {}

    def pipeline(self, tags: frozenset[str]) -> EmittedPipeline:
        """All that the file says."""
        self._read(_block(self._root).body, _Scope())
        if set(self._steps) != set(self._components.values()) - {""}:
            raise ValueError("a component is defined and not called")
        arguments = self._root.args.args
        given = self._root.args.defaults
        optional = arguments[len(arguments) - len(given) :]
        return EmittedPipeline(
            steps=self._steps,
            defaults={
                item.arg: json.loads(ast.literal_eval(value)) for item, value in zip(optional, given, strict=True)
            },
            required=frozenset(item.arg for item in arguments if item not in optional),
            tags=tags,
        )

    def _read(self, statements: Sequence[ast.stmt], scope: _Scope) -> frozenset[str]:
        """The statements of one block; answers with the steps that lie in it."""
        steps_by_variable: dict[str, frozenset[str]] = {}
        found: frozenset[str] = frozenset()
        for node in statements:
            assert isinstance(node, (ast.Assign, ast.Expr))
            assert isinstance(node.value, ast.Call)
            if isinstance(node, ast.Expr) and (name := _set_on(node.value)) in steps_by_variable:
                (step,) = steps_by_variable[name]
                self._set(step, node.value)
                continue
            made, after = _split_after(node.value)
            before = frozenset(step for name in after for step in steps_by_variable[name])
            called = made.args[0] if ast.unparse(made.func) == "zen_task" else made
            assert isinstance(called, ast.Call)
            inside = self._read_call(called, scope, before | scope.upstream, steps_by_variable)
            found |= inside
            if isinstance(node, ast.Assign):
                steps_by_variable[ast.unparse(node.targets[0])] = inside
        return found

    def _read_call(
        self, called: ast.Call, scope: _Scope, before: frozenset[str], known: dict[str, frozenset[str]]
    ) -> frozenset[str]:
        name = ast.unparse(called.func)
        if name in self._components:
            step = self._components[name]
            if step in self._steps:
                raise ValueError(f"the step {step} is called twice")
            self._steps[step] = EmittedStep(
                upstream=before, branch=scope.branch, mapped=scope.mapped, max_parallel=scope.max_parallel
            )
            return frozenset({step})
        (decision,) = (item.value for item in called.keywords if item.arg in ("zen_taken", "zen_parts"))
        (decider,) = known[next(node.id for node in ast.walk(decision) if isinstance(node, ast.Name))]
        block = _block(self._groups[name])
        asked = block.items[0].context_expr
        assert isinstance(asked, ast.Call)
        upstream = before | {decider}
        if ast.unparse(asked.func) == "dsl.If":
            compared = asked.args[0]
            assert isinstance(compared, ast.Compare)
            inner = replace(
                scope,
                upstream=upstream,
                branch=(decider, ast.literal_eval(compared.comparators[0]) == "true"),
            )
        else:
            limits = [ast.literal_eval(item.value) for item in asked.keywords if item.arg == "parallelism"]
            inner = replace(scope, upstream=upstream, mapped=True, max_parallel=limits[0] if limits else None)
        return self._read(block.body, inner)

    def _set(self, step: str, call: ast.Call) -> None:
        if ast.unparse(call.func).endswith(".set_retry"):
            keywords = {item.arg: ast.literal_eval(item.value) for item in call.keywords}
            self._steps[step] = replace(
                self._steps[step],
                retries=keywords["num_retries"],
                retry_delay_seconds=float(keywords["backoff_duration"].removesuffix("s")),
            )


def _is(node: ast.FunctionDef, decorator: str) -> bool:
    return any(ast.unparse(item).partition("(")[0] == decorator for item in node.decorator_list)


def _step_of(node: ast.FunctionDef) -> str:
    """The step that a component runs; "" for the closing one."""
    (body,) = (item for item in node.body if isinstance(item, ast.Return))
    assert isinstance(body.value, ast.Call)
    return str(ast.literal_eval(body.value.args[1]))


def _block(node: ast.FunctionDef) -> ast.With:
    (found,) = (item for item in node.body if isinstance(item, ast.With))
    return found


def _split_after(call: ast.Call) -> tuple[ast.Call, list[str]]:
    """The call itself, and the variables in `.after(…)` behind it."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "after":
        assert isinstance(call.func.value, ast.Call)
        return call.func.value, [ast.unparse(item) for item in call.args]
    return call, []


def _set_on(call: ast.Call) -> str:
    """The variable of `x_task.set_retry(…)` or `kubernetes.add_node_selector(x_task, …)`."""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        name = call.func.value.id
        return ast.unparse(call.args[0]) if name == "kubernetes" else name
    return ""
