"""How the conformance suite reads back what this adapter emits: from the text, and with Airflow itself."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from types import FunctionType
from typing import Any

from zen_airflow.lowering import END_TASK
from zen_core.adapter.form import form_field
from zen_core.adapter.protocol import EmittedFile
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep


class Conformance:
    """Reads emitted DAG files."""

    allowed_imports = frozenset({"airflow", "pendulum"})

    def read(self, files: tuple[EmittedFile, ...]) -> EmittedPipeline:
        """The pipeline as the text alone says it."""
        (file,) = (file for file in files if file.path.endswith(".py"))
        return _DagReader(ast.parse(file.content)).pipeline()

    def expected_default(self, spec: PipelineSpec, name: str) -> Any:
        """The default as the form shows it."""
        (parameter,) = (parameter for parameter in spec.parameters if parameter.name == name)
        return form_field(parameter).default

    def load(self, folder: Path) -> dict[str, EmittedPipeline]:
        """All DAGs of a folder by id, as Airflow's own loader reads them. Raises ValueError for import errors."""
        try:
            from airflow.dag_processing.dagbag import DagBag

            bag = DagBag(str(folder))
        except ImportError:  # Airflow 2
            from airflow.models import DagBag

            bag = DagBag(str(folder), include_examples=False)
        if bag.import_errors:
            raise ValueError(str(bag.import_errors))
        return {dag_id: _from_dag(dag) for dag_id, dag in bag.dags.items()}


class _DagReader:
    """Walks the one function that is the DAG: its task functions, its task groups, their calls, and the orderings."""

    def __init__(self, tree: ast.Module) -> None:
        (self._dag,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and _decorator(node, "dag"))
        functions = [node for node in self._dag.body if isinstance(node, ast.FunctionDef)]
        self._tasks = {_task_id(node): node for node in functions if _task(node) and _task_id(node) != END_TASK}
        self._groups = {node.name: node for node in functions if not _task(node)}
        self._step_by_function = {node.name: step for step, node in self._tasks.items()}
        self._step_by_variable: dict[str, str] = {}
        self._upstream: dict[str, set[str]] = {}

    def pipeline(self) -> EmittedPipeline:
        """All that the file says."""
        for node in self._dag.body:
            self._read_statement(node)
        if set(self._upstream) != set(self._tasks):
            raise ValueError("a task is defined and not called, or called and not defined")
        arguments = _keywords(_decorator(self._dag, "dag"))
        defaults, required = _params(arguments.get("params"))
        return EmittedPipeline(
            steps={step: self._step(step, node) for step, node in self._tasks.items()},
            defaults=defaults,
            required=required,
            tags=frozenset(ast.literal_eval(arguments["tags"]) if "tags" in arguments else ()),
        )

    def _step(self, step: str, node: ast.FunctionDef) -> EmittedStep:
        arguments = _keywords(_task(node))
        timeout = arguments.get("execution_timeout")
        delay = arguments.get("retry_delay")
        most = arguments.get("max_active_tis_per_dagrun")
        is_mapped = _called(node)[0] == "run_part"
        return EmittedStep(
            upstream=frozenset(self._upstream[step]),
            retries=ast.literal_eval(arguments["retries"]) if "retries" in arguments else 0,
            retry_delay_seconds=_seconds(delay) if delay else 0.0,
            timeout_seconds=_seconds(timeout) if timeout else None,
            branch=self._branch(step, is_mapped=is_mapped),
            mapped=is_mapped,
            max_parallel=ast.literal_eval(most) if most else None,
        )

    def _branch(self, step: str, *, is_mapped: bool) -> tuple[str, bool] | None:
        """The gate whose arm names the step; a mapped one lies in the branch of its expander."""
        names = {step, *(name for name in self._upstream[step] if is_mapped and self._is_expander(name))}
        for gate, node in self._tasks.items():
            function, arguments = _called(node)
            if function == "choose":
                for answer, arm in ((True, arguments[1]), (False, arguments[2])):
                    if names.intersection(ast.literal_eval(arm)):
                        return gate, answer
        return None

    def _is_expander(self, step: str) -> bool:
        return _called(self._tasks[step])[0] == "expand"

    def _read_statement(self, node: ast.stmt, outside: frozenset[str] = frozenset()) -> None:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            self._read_call(node, node.value, outside)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp):
            after = [name for name in _names(node.value.right) if name in self._step_by_variable]
            for variable in after:
                step = self._step_by_variable[variable]
                self._upstream[step] |= {self._step_by_variable[name] for name in _names(node.value.left)}

    def _read_call(self, node: ast.Assign, made: ast.Call, outside: frozenset[str]) -> None:
        """A task's call; one over the parts of a map; or that of a group, whose calls are in its own function."""
        given = [*made.args, *(keyword.value for keyword in made.keywords)]
        function = made.func
        if isinstance(function, ast.Attribute) and function.attr == "expand":
            function = function.value
            if isinstance(function, ast.Call):  # .partial(…)
                given += [keyword.value for keyword in function.keywords]
                function = function.func
                function = function.value if isinstance(function, ast.Attribute) else function
        read = frozenset(self._step_by_variable[name] for item in given for name in _names(item) if name != "part")
        if group := self._groups.get(ast.unparse(function)):
            for statement in group.body:
                self._read_statement(statement, read)
            return
        step = self._step_by_function[ast.unparse(function)]
        if step in self._upstream:
            raise ValueError(f"the task {step} is called twice")
        self._step_by_variable[ast.unparse(node.targets[0])] = step
        self._upstream[step] = {*read, *outside}


def _task(node: ast.FunctionDef) -> ast.Call | None:
    """The decorator that makes it a task."""
    return _decorator(node, "task") or _decorator(node, "task.branch")


def _called(node: ast.FunctionDef) -> tuple[str, list[ast.expr]]:
    """The function of the file that a task calls, and what it is given by position."""
    (body,) = (item for item in node.body if isinstance(item, ast.Return))
    assert isinstance(body.value, ast.Call)
    return ast.unparse(body.value.func), list(body.value.args)


def _names(node: ast.expr) -> list[str]:
    return [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]


def _decorator(node: ast.FunctionDef, name: str) -> ast.Call | None:
    calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
    return next((item for item in calls if ast.unparse(item.func) == name), None)


def _keywords(node: ast.Call | None) -> dict[str, ast.expr]:
    return {item.arg: item.value for item in node.keywords if item.arg} if node else {}


def _task_id(node: ast.FunctionDef) -> str:
    arguments = _keywords(_task(node))
    return str(ast.literal_eval(arguments["task_id"])) if "task_id" in arguments else node.name


def _seconds(node: ast.expr) -> float:
    return timedelta(**{name: ast.literal_eval(value) for name, value in _keywords_of(node).items()}).total_seconds()


def _keywords_of(node: ast.expr) -> dict[str, ast.expr]:
    return _keywords(node if isinstance(node, ast.Call) else None)


def _params(node: ast.expr | None) -> tuple[dict[str, Any], frozenset[str]]:
    defaults: dict[str, Any] = {}
    required = set()
    for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
        name = ast.literal_eval(key) if key else ""
        if isinstance(value, ast.Call) and value.args:
            defaults[name] = ast.literal_eval(value.args[0])
        else:
            required.add(name)
    return defaults, frozenset(required)


def _from_dag(dag: Any) -> EmittedPipeline:
    # A required parameter has a marker object of Airflow's instead of a value, of a different class in each version.
    values = {name: dag.params.get_param(name).value for name in dag.params}
    required = {
        name for name, value in values.items() if "ArgNotSet" in type(value).__name__ or value is NotImplemented
    }
    branches = _branches(dag)
    return EmittedPipeline(
        steps={
            task.task_id: EmittedStep(
                upstream=frozenset(task.upstream_task_ids),
                branch=branches.get(task.task_id),
                mapped=_is_mapped(task),
                max_parallel=task.max_active_tis_per_dagrun,
                retries=task.retries,
                retry_delay_seconds=task.retry_delay.total_seconds() if task.retries else 0.0,
                timeout_seconds=task.execution_timeout.total_seconds() if task.execution_timeout else None,
            )
            for task in dag.tasks
            if task.task_id != END_TASK
        },
        defaults={name: value for name, value in values.items() if name not in required},
        required=frozenset(required),
        tags=frozenset(dag.tags),
    )


def _branches(dag: Any) -> dict[str, tuple[str, bool]]:
    """For each task of a branch the gate's answer that lets it run, as the gate's own function has it."""
    found = {}
    for gate in dag.tasks:
        if "choose" not in _calls(gate):
            continue
        function = gate.python_callable
        told = FunctionType(function.__code__, {"choose": lambda gate, yes, no, /, **upstream: (yes, no)})
        for answer, arm in zip((True, False), told(*[None] * function.__code__.co_argcount), strict=True):
            found.update(dict.fromkeys(arm, (gate.task_id, answer)))
    for task in dag.tasks:
        if _is_mapped(task):
            expanders = [name for name in task.upstream_task_ids if "expand" in _calls(dag.get_task(name))]
            found.update((task.task_id, found[name]) for name in expanders if name in found)
    return found


def _calls(task: Any) -> tuple[str, ...]:
    """The functions of the file that a task's own function calls."""
    function = getattr(task, "python_callable", None)  # that of a mapped task is elsewhere
    return function.__code__.co_names if function else ()


def _is_mapped(task: Any) -> bool:
    """Whether the task itself is mapped, or lies in a group that is."""
    return hasattr(task, "expand_input") or next(task.iter_mapped_task_groups(), None) is not None
