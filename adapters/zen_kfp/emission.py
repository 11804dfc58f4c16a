"""From the pipeline as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from zen_core.adapter.features import Feature
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.layout import Bracket, Expression, call, literal, mapping, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_core.codegen.tasks import header_lines
from zen_core.codegen.templates import render_template
from zen_kfp.lowering import END_TASK, LONGEST_RETRYING_SECONDS, Entry, KfpGroup, KfpPipeline, KfpTask

_TEMPLATES = Path(__file__).parent / "templates"


def emit_pipeline(pipeline: KfpPipeline, *, zen_version: str, ir_digest: str, waived: tuple[Feature, ...]) -> str:
    """The module's text."""
    options = pipeline.options
    common = list(_common(pipeline))
    tasks = list(iter_tasks(pipeline.entries))
    uses_kubernetes = any("kubernetes." in line for line in common) or any(item.placing.node_selector for item in tasks)
    return render_template(
        _TEMPLATES,
        "pipeline.py.j2",
        header=header_lines(
            f"A Kubeflow pipeline, {EMITTED_BY} {zen_version}. Do not edit: change the pipeline and compile it again.",
            pipeline=pipeline.name,
            ir_digest=ir_digest,
            waived=(feature.value for feature in waived),
        ),
        kfp_names=SourceText("compiler, dsl, kubernetes" if uses_kubernetes else "compiler, dsl"),
        image_from_environment=options.image is None,
        image=py_literal(options.image or ""),
        ir_digest=py_literal(ir_digest),
        run_constant=statement(mapping(_run(pipeline)), depth=0, before="RUN = "),
        placeholder=SourceText("{{$}}"),
        and_variables=SourceText("".join(f", {py_literal(name)}" for name in sorted(options.credentials))),
        common=common,
        definitions=list(_definitions(pipeline)),
        pipeline_function=py_identifier(pipeline.identifier),
    )


def iter_tasks(entries: Iterable[Entry]) -> Iterator[KfpTask]:
    """All tasks, also those of branches and loops."""
    for entry in entries:
        if isinstance(entry, KfpTask):
            yield entry
        else:
            yield from iter_tasks(entry.entries)


def _run(pipeline: KfpPipeline) -> dict[str, Expression]:
    found: dict[str, Expression] = {"zen_run": SourceText("dsl.PIPELINE_JOB_ID_PLACEHOLDER")}
    if pipeline.uses_tick:
        found["zen_tick"] = SourceText("dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER")
    return found


def _common(pipeline: KfpPipeline) -> Iterator[SourceText]:
    """The settings of all tasks."""
    options, task = pipeline.options, SourceText("task")
    for name, value in sorted(options.env.items()):
        keywords = {"name": py_literal(name), "value": py_literal(value)}
        yield statement(call(SourceText("task.set_env_variable"), (), keywords), depth=1)
    by_secret = sorted((*reference.split("/", 1), name) for name, reference in options.credentials.items())
    for secret, found in groupby(by_secret, key=lambda item: item[0]):
        # One call for each variable: two variables may take the same key.
        for _, key, name in found:
            keys: Mapping[str, Expression] = {
                "secret_name": py_literal(secret),
                "secret_key_to_env": literal({key: name}),
            }
            yield statement(call(SourceText("kubernetes.use_secret_as_env"), [task], keys), depth=1)
    yield from _selectors(sorted(options.node_selector.items()), task)
    if options.image_pull_secrets:
        secrets = literal(list(options.image_pull_secrets))
        yield statement(call(SourceText("kubernetes.set_image_pull_secrets"), [task, secrets]), depth=1)


def _selectors(labels: Iterable[tuple[str, str]], task: SourceText) -> Iterator[SourceText]:
    for label, value in labels:
        keywords = {"label_key": py_literal(label), "label_value": py_literal(value)}
        yield statement(call(SourceText("kubernetes.add_node_selector"), [task], keywords), depth=1)


def _definitions(pipeline: KfpPipeline) -> Iterator[SourceText]:
    """The components, the branches and loops from the inside out, and the pipeline itself."""
    for task in iter_tasks(pipeline.entries):
        yield _component(task, pipeline)
    yield _component(KfpTask("", END_TASK, "end", ()), pipeline, command="end")
    for group in _groups(pipeline.entries):
        yield _group(group, pipeline)
    yield _root(pipeline)


def _groups(entries: Iterable[Entry]) -> Iterator[KfpGroup]:
    for entry in entries:
        if isinstance(entry, KfpGroup):
            yield from _groups(entry.entries)
            yield entry


_STR, _LIST = SourceText("str"), SourceText("list")
_OUTPUTS = {"gate": {"zen_taken": "dsl.OutputPath(str)"}, "expand": {"zen_parts": "dsl.OutputPath(list)"}}


def _inputs(pipeline: KfpPipeline) -> dict[str, Expression]:
    return dict.fromkeys((*_run(pipeline), *(parameter.name for parameter in pipeline.parameters)), _STR)


def _component(task: KfpTask, pipeline: KfpPipeline, command: str = "") -> SourceText:
    inputs = _inputs(pipeline)
    if task.kind == "part":
        inputs["zen_part"] = _STR
    inputs |= {name: SourceText(kind) for name, kind in _OUTPUTS.get(task.kind, {}).items()}
    given = call(
        SourceText("zen_container"),
        [py_literal(command or task.kind), py_literal(task.step)],
        {"image": py_literal(task.image)} if task.image else {},
    )
    lines = (
        SourceText("@dsl.container_component"),
        _head(task.identifier, inputs),
        statement(given, depth=1, before="return "),
    )
    return join_source("\n", lines)


def _head(identifier: str, parameters: Mapping[str, Expression]) -> SourceText:
    items = tuple((SourceText(f"{py_identifier(name)}: "), kind) for name, kind in parameters.items())
    head = Bracket(SourceText(f"{py_identifier(identifier)}("), items, SourceText("):"))
    return statement(head, depth=0, before="def ")


def _group(group: KfpGroup, pipeline: KfpPipeline) -> SourceText:
    """A pipeline with one `dsl.If`, or one `dsl.ParallelFor`."""
    inputs = {parameter.name: _STR for parameter in pipeline.parameters}
    if group.kind == "branch":
        answer = py_literal("true" if group.taken else "false")
        inside = SourceText(f"    with dsl.If(zen_taken == {answer}):")
        inputs = {"zen_taken": _STR, **inputs}
    else:
        keywords = {"parallelism": py_literal(group.parallelism)} if group.parallelism else {}
        loop = call(SourceText("dsl.ParallelFor"), [SourceText("zen_parts")], keywords)
        inside = statement(loop, depth=1, before="with ", after=" as part:")
        inputs = {"zen_parts": _LIST, **inputs}
    lines = (
        SourceText("@dsl.pipeline"),
        _head(group.identifier, inputs),
        *_given(pipeline),
        inside,
        *_entries(group.entries, pipeline),
    )
    return join_source("\n", lines)


def _root(pipeline: KfpPipeline) -> SourceText:
    described = {"description": py_literal(pipeline.description)} if pipeline.description else {}
    decorator = call(SourceText("dsl.pipeline"), (), {"name": py_literal(pipeline.title), **described})
    parameters = {
        parameter.name: _STR if parameter.default is None else SourceText(f"str = {py_literal(parameter.default)}")
        for parameter in pipeline.parameters
    }
    run = _run_argument(pipeline)
    lines = (
        statement(decorator, depth=0, before="@"),
        _head(pipeline.identifier, parameters),
        *_given(pipeline),
        SourceText(f"    end = zen_task({END_TASK}({run}))"),
        SourceText('    with dsl.ExitHandler(end, name="run"):'),
        *_entries(pipeline.entries, pipeline),
    )
    return join_source("\n", lines)


def _given(pipeline: KfpPipeline) -> Iterator[SourceText]:
    if pipeline.parameters:
        names = {parameter.name: py_identifier(parameter.name) for parameter in pipeline.parameters}
        found = mapping(names)
        spread: tuple[SourceText, Expression] = (SourceText("**"), SourceText("RUN"))
        yield statement(Bracket(found.opening, (spread, *found.items), found.closing), depth=1, before="run = ")


def _run_argument(pipeline: KfpPipeline) -> SourceText:
    return SourceText("**run" if pipeline.parameters else "**RUN")


def _entries(entries: Sequence[Entry], pipeline: KfpPipeline) -> Iterator[SourceText]:
    used = {variable for entry in entries for variable in entry.after}
    used |= {entry.decision for entry in entries if isinstance(entry, KfpGroup)}
    for entry in entries:
        if isinstance(entry, KfpTask):
            settings = list(_settings(entry))
            before = f"{entry.variable} = " if settings or entry.variable in used else ""
            given: dict[str, Expression] = {"zen_part": SourceText("part")} if entry.kind == "part" else {}
            yield _call(entry, given, _run_argument(pipeline), before, helper="zen_task")
            yield from settings
        else:
            decision = "zen_taken" if entry.kind == "branch" else "zen_parts"
            output = SourceText(f"{py_identifier(entry.decision)}.outputs[{py_literal(decision)}]")
            names = {parameter.name: py_identifier(parameter.name) for parameter in pipeline.parameters}
            before = f"{entry.variable} = " if entry.variable in used else ""
            yield _call(entry, {decision: output, **names}, None, before)


def _call(
    entry: Entry, given: Mapping[str, Expression], run: SourceText | None, before: str, helper: str = ""
) -> SourceText:
    items: list[tuple[SourceText, Expression]] = [
        (SourceText(f"{py_identifier(name)}="), value) for name, value in given.items()
    ]
    if run:
        items.append((SourceText(""), run))
    name = py_identifier(entry.identifier)
    opening = f"{helper}({name}(" if helper else f"{name}("
    closing = SourceText("))" if helper else ")")
    made = Bracket(SourceText(opening), tuple(items), closing)
    if not entry.after:
        return statement(made, depth=2, before=before)
    after = tuple((SourceText(""), py_identifier(variable)) for variable in entry.after)
    chained = Bracket(SourceText(f"{made.flat}.after("), after, SourceText(")"))
    return statement(chained, depth=2, before=before)


def _settings(task: KfpTask) -> Iterator[SourceText]:
    """What one task alone has: a line each."""
    variable = py_identifier(task.variable)
    placing = task.placing
    calls: list[tuple[str, list[Expression], dict[str, Expression]]] = []
    if task.retry:
        keywords: dict[str, Expression] = {
            "num_retries": py_literal(task.retry.times),
            "backoff_duration": py_literal(f"{task.retry.delay_seconds}s"),
            "backoff_factor": py_literal(task.retry.factor),
            "backoff_max_duration": py_literal(f"{LONGEST_RETRYING_SECONDS}s"),
        }
        calls.append(("set_retry", [], keywords))
    if placing.cpu:
        calls.append(("set_cpu_request", [py_literal(placing.cpu)], {}))
    if placing.memory:
        calls.append(("set_memory_request", [py_literal(placing.memory)], {}))
        calls.append(("set_memory_limit", [py_literal(placing.memory)], {}))
    if placing.gpu:
        calls.append(("set_accelerator_type", [py_literal(placing.gpu_resource)], {}))
        calls.append(("set_accelerator_limit", [py_literal(placing.gpu)], {}))
    for method, arguments, keywords in calls:
        yield statement(call(SourceText(f"{variable}.{method}"), arguments, keywords), depth=2)
    for line in _selectors(placing.node_selector, variable):
        yield SourceText(f"    {line}")
