"""From the pipeline as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from zen_core.adapter.features import Feature
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.layout import Bracket, Expression, call, literal, mapping, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_core.codegen.tasks import header_lines
from zen_core.codegen.templates import render_template
from zen_kfp.lowering import KfpGroup, KfpPipeline, KfpResources, KfpTask, kfp_name
from zen_kfp.options import UI_VARIABLE, KfpOptions

_TEMPLATES = Path(__file__).parent / "templates"


def emit_pipeline(pipeline: KfpPipeline, *, zen_version: str, ir_digest: str, waived: tuple[Feature, ...]) -> str:
    """The text of the pipeline's module."""
    options = pipeline.options
    writer = _Writer(pipeline)
    text = {
        "image": py_literal(pipeline.image),
        "ir_digest": py_literal(ir_digest),
        "imported": SourceText("compiler, dsl, kubernetes" if writer.uses_kubernetes else "compiler, dsl"),
        "identifier": py_identifier(pipeline.identifier),
        "end": statement(writer.end_component(), depth=1, before="return "),
        "end_head": writer.head(py_identifier(pipeline.names.end), [(f"{pipeline.names.run}: ", SourceText("str"))]),
    }
    return render_template(
        _TEMPLATES,
        "pipeline.py.j2",
        header=header_lines(
            f"A Kubeflow pipeline, {EMITTED_BY} {zen_version}. Do not edit: change the pipeline and compile it again.",
            pipeline=pipeline.pipeline,
            ir_digest=ir_digest,
            waived=(feature.value for feature in waived),
        ),
        secrets=py_literal(f"--secrets={','.join(sorted(options.credentials))}") if options.credentials else "",
        settings=list(_settings(options)),
        retries=any(task.retry for task in pipeline.tasks),
        components=[writer.component(task) for task in pipeline.tasks],
        groups=[writer.group(item) for item in pipeline.items if isinstance(item, KfpGroup)],
        pipeline=writer.pipeline(),
        **text,
    )


def _settings(options: KfpOptions) -> Iterator[SourceText]:
    """What is set on every task, besides KFP's cache."""
    own = {UI_VARIABLE: options.ui_url} if options.ui_url else {}
    for name, value in sorted({**own, **options.env}.items()):
        yield _method("task", "set_env_variable", [py_literal(name), py_literal(value)])
    by_secret: dict[str, dict[str, str]] = {}
    for name, reference in sorted(options.credentials.items()):
        secret, _, key = reference.removeprefix("secret:").partition("/")
        by_secret.setdefault(secret, {})[key] = name
    for secret, variable_by_key in sorted(by_secret.items()):
        arguments = [SourceText("task"), py_literal(secret), literal(variable_by_key)]
        yield _method("kubernetes", "use_secret_as_env", arguments)
    yield from _node_selector("task", options.node_selector)


def _node_selector(variable: str, labels: Mapping[str, str]) -> Iterator[SourceText]:
    for key, value in sorted(labels.items()):
        yield _method("kubernetes", "add_node_selector", [py_identifier(variable), py_literal(key), py_literal(value)])


def _method(
    owner: str, name: str, arguments: Iterable[Expression], keywords: Mapping[str, Expression] | None = None
) -> SourceText:
    """`owner.name(...)`, to be indented."""
    return statement(call(SourceText(f"{py_identifier(owner)}.{py_identifier(name)}"), arguments, keywords), depth=0)


class _Writer:
    """Writes the functions of one pipeline."""

    def __init__(self, pipeline: KfpPipeline) -> None:
        self._pipeline = pipeline
        self._names = pipeline.names
        self._task_by_step = {task.step: task for task in pipeline.tasks}

    @property
    def uses_kubernetes(self) -> bool:
        """Whether something is set that only Kubernetes has."""
        options = self._pipeline.options
        selected = any(task.node_selector for task in self._pipeline.tasks)
        return bool(options.credentials or options.node_selector or selected)

    # -- components --------------------------------------------------------------------------------------------------

    def component(self, task: KfpTask) -> SourceText:
        """A component: its decorator, head, docstring, and the one line that says what its container runs."""
        names = self._names
        output = {"run-step": names.refs, "ask": names.taken, "expand": names.parts}.get(task.command, "")
        arguments: list[Expression] = [py_identifier(names.run), py_literal(task.command), py_literal(task.step)]
        inputs = [self._identifier(name) for name in task.handed]
        if task.command == "run-part":
            inputs.insert(0, names.part)
            arguments.append(_formatted("part", names.part))
        if output:
            arguments.append(_formatted("to", output))
        keywords: dict[str, Expression] = {}
        if task.handed:
            handed = {name: SourceText(py_identifier(self._identifier(name))) for name in task.handed}
            keywords["upstream"] = mapping(handed)
        keywords |= self._given(task.image)
        kind = "list" if output == names.parts else "str"
        outputs = [(f"{output}: ", SourceText(f"dsl.OutputPath({kind})"))] if output else []
        lines = [
            SourceText("@dsl.container_component"),
            self.head(
                py_identifier(task.identifier),
                [(f"{name}: ", SourceText("str")) for name in (names.run, *inputs)],
                outputs,
            ),
        ]
        if task.description:
            lines.append(statement(py_literal(task.description), depth=1))
        lines.append(statement(call(SourceText("container"), arguments, keywords), depth=1, before="return "))
        return join_source("\n", lines)

    def end_component(self) -> Expression:
        """What the closing container runs."""
        arguments = [py_identifier(self._names.run), py_literal("end-run")]
        return call(SourceText("container"), arguments, self._given(self._pipeline.end_image))

    def head(
        self,
        name: SourceText,
        inputs: Iterable[tuple[str, SourceText]],
        outputs: Iterable[tuple[str, SourceText]] = (),
    ) -> SourceText:
        """`def train(run: str, prepare: str, depth: str, refs: dsl.OutputPath(str)):`"""
        parameters = [(f"{py_identifier(item)}: ", SourceText("str")) for item in self._pipeline.parameters]
        items = tuple((SourceText(key), kind) for key, kind in (*inputs, *parameters, *outputs))
        return statement(Bracket(SourceText(f"{name}("), items, SourceText("):")), depth=0, before="def ")

    def _given(self, image: str) -> dict[str, Expression]:
        """What every container is given: the run's parameters; and an image of its own, where it has one."""
        found: dict[str, Expression] = {}
        if self._pipeline.parameters:
            found["parameters"] = mapping(self._parameters)
        if image:
            found["image"] = py_literal(image)
        return found

    # -- pipelines ---------------------------------------------------------------------------------------------------

    def group(self, group: KfpGroup) -> SourceText:
        """A pipeline within the pipeline."""
        names = self._names
        inputs = [(f"{names.taken}: ", SourceText("str"))] if group.gate else []
        inputs += [(f"{names.parts}: ", SourceText("list"))] if group.expander else []
        inputs += [(f"{self._identifier(name)}: ", SourceText("str")) for name in group.handed]
        lines = [
            statement(
                call(SourceText("dsl.pipeline"), (), {"name": py_literal(kfp_name(group.identifier))}),
                depth=0,
                before="@",
            ),
            self.head(py_identifier(group.identifier), inputs),
            self._given_to_tasks(),
        ]
        depth = 1
        if group.gate:
            answer = py_literal("true" if group.taken else "false")
            condition = SourceText(f"{py_identifier(names.taken)} == {answer}")
            name = py_literal(group.gate if group.taken else f"not {group.gate}")
            lines.append(_with(call(SourceText("dsl.If"), [condition], {"name": name}), depth))
            depth += 1
        if group.expander:
            limit = {"parallelism": py_literal(group.max_parallel)} if group.max_parallel else {}
            loop = call(SourceText("dsl.ParallelFor"), [py_identifier(names.parts)], limit)
            lines.append(_with(loop, depth, after=f" as {py_identifier(names.part)}:"))
            depth += 1
        members = {task.step for task in group.tasks}
        used = {name for task in group.tasks for name in task.handed} | {
            name for task in group.tasks for name in task.after
        }
        for task in group.tasks:
            lines += self._task(task, depth, used, members)
        return join_source("\n", lines)

    def pipeline(self) -> SourceText:
        """The pipeline itself."""
        pipeline, names = self._pipeline, self._names
        decorator: dict[str, Expression] = {"name": py_literal(pipeline.name)}
        if pipeline.description:
            decorator["description"] = py_literal(pipeline.description)
        parameters = tuple(
            (SourceText(f"{py_identifier(name)}: "), SourceText("str" if text is None else f"str = {py_literal(text)}"))
            for name, text in pipeline.parameters.items()
        )
        head = Bracket(SourceText(f"{py_identifier(pipeline.identifier)}("), parameters, SourceText("):"))
        lines = [
            statement(call(SourceText("dsl.pipeline"), (), decorator), depth=0, before="@"),
            statement(head, depth=0, before="def "),
            self._given_to_tasks(),
            *self._end_task(),
            _with(call(SourceText("dsl.ExitHandler"), [SourceText(f"{names.end}_task")]), 1),
        ]
        used = {name for item in pipeline.items for name in (*item.handed, *item.after)}
        used |= {name for item in pipeline.items if isinstance(item, KfpGroup) for name in (item.gate, item.expander)}
        for item in pipeline.items:
            if isinstance(item, KfpGroup):
                lines += self._group_task(item, used)
            else:
                lines += self._task(item, 2, used, set(self._task_by_step))
        return join_source("\n", lines)

    def _given_to_tasks(self) -> SourceText:
        """`given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "depth": depth}`: what every task is given.

        KFP's server replaces the run's id where it is the whole value of a task's input, and nowhere else.
        """
        values = {self._names.run: SourceText("dsl.PIPELINE_JOB_ID_PLACEHOLDER"), **self._parameters}
        return statement(mapping(values), depth=1, before=f"{py_identifier(self._names.given)} = ")

    @property
    def _parameters(self) -> dict[str, Expression]:
        return {name: py_identifier(name) for name in self._pipeline.parameters}

    def _end_task(self) -> list[SourceText]:
        names = self._names
        made = call(SourceText("configured"), [self._call(names.end, {})])
        variable = f"{names.end}_task"
        found = [statement(made, depth=1, before=f"{variable} = ")]
        return [*found, *(_indented(line, 1) for line in _sizes(variable, self._pipeline.end_resources))]

    def _task(self, task: KfpTask, depth: int, used: Collection[str], known: Collection[str]) -> Iterator[SourceText]:
        """`train_task = configured(train(prepare=prepare_task.outputs["refs"], **given))`, and what is set on it.

        Args:
            used: steps and variables that something later in the function names.
            known: the steps that are tasks of this function; the refs of others are its parameters.
        """
        names = self._names
        inputs: dict[str, SourceText] = {}
        if task.command == "run-part":
            inputs[names.part] = py_identifier(names.part)
        for name in task.handed:
            own = self._identifier(name)
            inputs[own] = self._output(name, names.refs) if name in known else py_identifier(own)
        made = call(SourceText("configured"), [self._call(task.identifier, inputs)])
        rest = [*_retries(task), *_sizes(task.variable, task.resources, self._pipeline.options.gpu_resource)]
        rest += _node_selector(task.variable, task.node_selector)
        rest += _after(task.variable, task.after)
        named = bool(rest) or task.step in used or task.variable in used
        yield statement(made, depth=depth, before=f"{py_identifier(task.variable)} = " if named else "")
        yield from (_indented(line, depth) for line in rest)

    def _group_task(self, group: KfpGroup, used: Collection[str]) -> Iterator[SourceText]:
        """`branch_publish_task = branch_publish(taken=when_task.outputs["taken"], depth=depth)`."""
        names = self._names
        inputs: dict[str, SourceText] = {}
        if group.gate:
            inputs[names.taken] = self._output(group.gate, names.taken)
        if group.expander:
            inputs[names.parts] = self._output(group.expander, names.parts)
        for name in group.handed:
            inputs[self._identifier(name)] = self._output(name, names.refs)
        rest = list(_after(group.variable, group.after))
        named = bool(rest) or group.variable in used
        made = call(py_identifier(group.identifier), (), {**inputs, **self._parameters})
        yield statement(made, depth=2, before=f"{py_identifier(group.variable)} = " if named else "")
        yield from (_indented(line, 2) for line in rest)

    def _call(self, identifier: str, inputs: Mapping[str, SourceText]) -> Bracket:
        """A component's call with these inputs, and what every task is given."""
        made = call(py_identifier(identifier), (), inputs)
        given = (SourceText("**"), py_identifier(self._names.given))
        return Bracket(made.opening, (*made.items, given), made.closing)

    def _output(self, step: str, output: str) -> SourceText:
        return SourceText(f"{py_identifier(self._task_by_step[step].variable)}.outputs[{py_literal(output)}]")

    def _identifier(self, step: str) -> str:
        return self._task_by_step[step].identifier


def _retries(task: KfpTask) -> Iterator[SourceText]:
    if task.retry:
        arguments = {
            "backoff_duration": py_literal(f"{task.retry.delay_seconds}s"),
            "backoff_factor": py_literal(task.retry.factor),
            "backoff_max_duration": SourceText("A_YEAR"),
        }
        yield _method(task.variable, "set_retry", [py_literal(task.retry.times)], arguments)


def _sizes(variable: str, resources: KfpResources, gpu_resource: str = "") -> Iterator[SourceText]:
    if resources.cpu:
        yield _method(variable, "set_cpu_request", [py_literal(resources.cpu)])
    if resources.memory:
        yield _method(variable, "set_memory_request", [py_literal(resources.memory)])
        yield _method(variable, "set_memory_limit", [py_literal(resources.memory)])
    if resources.gpu:
        yield _method(variable, "set_accelerator_type", [py_literal(gpu_resource)])
        yield _method(variable, "set_accelerator_limit", [py_literal(resources.gpu)])


def _after(variable: str, others: tuple[str, ...]) -> Iterator[SourceText]:
    if others:
        yield _method(variable, "after", [py_identifier(name) for name in others])


def _formatted(name: str, variable: str) -> SourceText:
    """`f"--to={refs}"`"""
    return SourceText(f'f"--{name}={{{py_identifier(variable)}}}"')


def _with(expression: Expression, depth: int, after: str = ":") -> SourceText:
    return statement(expression, depth=depth, before="with ", after=after)


def _indented(lines: SourceText, depth: int) -> SourceText:
    return SourceText("\n".join("    " * depth + line for line in lines.split("\n")))
