"""From the DAG as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zen_airflow.lowering import END_TASK, AirflowDag, AirflowMap, AirflowSchedule, AirflowTask
from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT, FormField
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.layout import Bracket, Expression, call, literal, mapping, sequence, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_core.codegen.tasks import header_lines, run_step_call
from zen_core.codegen.templates import render_template

_TEMPLATES = Path(__file__).parent / "templates"
_SECONDS_BY_UNIT = (("days", 86_400), ("hours", 3_600), ("minutes", 60))


def emit_dag(dag: AirflowDag, *, zen_version: str, ir_digest: str, waived: tuple[Feature, ...]) -> str:
    """The DAG file's text."""
    refs = {task.step: py_identifier(task.refs) for task in dag.tasks}
    return render_template(
        _TEMPLATES,
        "dag.py.j2",
        header=header_lines(
            f"An Airflow DAG, {EMITTED_BY} {zen_version}. Do not edit: change the pipeline and compile it again.",
            pipeline=dag.dag_id,
            ir_digest=ir_digest,
            waived=(feature.value for feature in waived),
        ),
        uses_timedelta=any(task.retry or task.execution_timeout_seconds for task in dag.tasks),
        uses_doubling=any(task.retry and task.retry.doubling for task in dag.tasks),
        uses_pods=any(task.pod for task in dag.tasks),
        sdk_names=_sdk_names(dag),
        uses_timetable=dag.schedule is not None,
        uses_params=bool(dag.params),
        ir_digest=py_literal(ir_digest),
        # Names of Airflow's own, never values.
        credentials=statement(literal(dag.credentials), depth=0, before="CREDENTIALS = ") if dag.credentials else "",
        and_credentials=SourceText(", CREDENTIALS" if dag.credentials else ""),
        dag_arguments=[
            statement(expression, depth=1, before=f"{py_identifier(name)}=", after=",")
            for name, expression in _dag_arguments(dag).items()
        ],
        dag_function=py_identifier(dag.identifier),
        definitions=[_definition(task, refs) for task in dag.tasks],
        end_task=py_identifier(END_TASK),
        wiring=list(_wiring(dag, refs)),
        orderings=[
            *(_branch(gate, arms, refs) for gate, arms in dag.branches),
            *(_ordering(upstream, refs[name], refs) for upstream, name in dag.orderings),
        ],
        uses_gates=any(task.kind == "gate" for task in dag.tasks),
        uses_maps=bool(dag.maps),
        uses_groups=any(found.group for found in dag.maps),
        and_fail=SourceText(", fail=True" if dag.may_hide_failure else ""),
        closing=_ordering(dag.leaves, _closing_task(dag), refs),
    )


def _closing_task(dag: AirflowDag) -> SourceText:
    # Where a skipped task can stand at the end, Airflow would show a failed run as a success.
    fail = "on_failure_fail_dagrun=True" if dag.may_hide_failure else ""
    return SourceText(f"{py_identifier(END_TASK)}().as_teardown({fail})")


def _sdk_names(dag: AirflowDag) -> SourceText:
    names = ["dag", "task", *(["task_group"] if any(found.group for found in dag.maps) else [])]
    if dag.params:
        names.insert(0, "Param")
    if dag.schedule:
        names.insert(0, "CronTriggerTimetable")
    return SourceText(", ".join(names))


def _dag_arguments(dag: AirflowDag) -> dict[str, Expression]:
    arguments: dict[str, Expression] = {"dag_id": py_literal(dag.dag_id)}
    if dag.description:
        arguments["description"] = py_literal(dag.description)
    arguments["schedule"] = _timetable(dag.schedule)
    start = (py_literal(dag.start.year), py_literal(dag.start.month), py_literal(dag.start.day))
    arguments["start_date"] = call(SourceText("pendulum.datetime"), start, {"tz": py_literal(dag.timezone)})
    arguments["catchup"] = py_literal(bool(dag.schedule and dag.schedule.catch_up))
    if dag.schedule:
        arguments["max_active_runs"] = py_literal(dag.schedule.max_active_runs)
    if dag.max_active_tasks is not None:
        arguments["max_active_tasks"] = py_literal(dag.max_active_tasks)
    if dag.params:
        arguments["params"] = mapping({param.name: _param(param) for param in dag.params})
    if dag.tags:
        arguments["tags"] = literal(list(dag.tags))
    arguments["default_args"] = literal(dag.default_args)
    return arguments


def _timetable(schedule: AirflowSchedule | None) -> Expression:
    if schedule is None:
        return py_literal(None)
    keywords = {"timezone": py_literal(schedule.timezone)}
    return call(SourceText("CronTriggerTimetable"), [py_literal(schedule.cron)], keywords)


def _param(param: FormField) -> Expression:
    default = () if param.default is NO_DEFAULT else (literal(param.default),)
    return call(SourceText("Param"), default, {name: literal(value) for name, value in param.schema.items()})


def _definition(task: AirflowTask, refs: Mapping[str, SourceText]) -> SourceText:
    """The decorator, the function's head and its one line."""
    decorator = call(SourceText("task.branch" if task.kind == "gate" else "task"), (), _task_arguments(task))
    # The parameters are called like the variables, not like the steps: Airflow keeps names such as `params` and
    # `self` for itself, and no such name ends in `_refs`.
    parameters = [*([_PART] if task.kind == "map" else []), *(refs[name] for name in task.upstream)]
    head = Bracket(
        SourceText(f"{py_identifier(task.identifier)}("),
        tuple((SourceText(""), name) for name in parameters),
        SourceText("):"),
    )
    arguments: tuple[Expression, ...] = ()
    if task.kind == "gate":
        arguments = tuple(literal(list(arm)) for arm in task.arms)
    elif task.kind == "map":
        arguments = (_PART,)
    body = run_step_call(task.step, task.upstream, refs, function=_FUNCTION[task.kind], arguments=arguments)
    lines = (
        statement(decorator, depth=1, before="@"),
        statement(head, depth=1, before="def "),
        statement(body, depth=2, before="return "),
    )
    return join_source("\n", lines)


_PART = SourceText("part")
_FUNCTION = {"step": "run_step", "gate": "choose", "expander": "expand", "map": "run_part"}


def _task_arguments(task: AirflowTask) -> dict[str, Expression]:
    arguments: dict[str, Expression] = {}
    if task.identifier != task.step:
        arguments["task_id"] = py_literal(task.step)
    arguments["multiple_outputs"] = py_literal(False)
    if task.trigger_rule:
        arguments["trigger_rule"] = py_literal(task.trigger_rule)
    if task.max_parallel is not None:
        arguments["max_active_tis_per_dagrun"] = py_literal(task.max_parallel)
    if task.retry:
        arguments["retries"] = py_literal(task.retry.retries)
        arguments["retry_delay"] = _timedelta(task.retry.delay_seconds)
        if task.retry.doubling:
            # Airflow 3 takes the factor, and reads True as 1; Airflow 2 takes True alone.
            arguments["retry_exponential_backoff"] = SourceText("DOUBLING")
            arguments["max_retry_delay"] = _timedelta(86_400)
    if task.execution_timeout_seconds:
        arguments["execution_timeout"] = _timedelta(task.execution_timeout_seconds)
    for name in ("pool", "pool_slots", "queue", "priority_weight"):
        value = getattr(task.options, name)
        if value is not None:
            arguments[name] = py_literal(value)
    if task.pod:
        keywords: dict[str, Expression] = {
            "requests": literal(task.pod.requests),
            "limits": literal(task.pod.limits),
        }
        if task.pod.node_selector:
            keywords["node_selector"] = literal(task.pod.node_selector)
        if task.pod.image:
            keywords["image"] = py_literal(task.pod.image)
        arguments["executor_config"] = call(SourceText("pod"), (), keywords)
    return arguments


def _timedelta(seconds: float) -> Expression:
    """`timedelta(hours=1, minutes=30)`: the largest units that fit, the rest in seconds."""
    keywords: dict[str, Expression] = {}
    rest = seconds
    for unit, size in _SECONDS_BY_UNIT:
        count = int(rest // size)
        if count:
            keywords[unit] = py_literal(count)
            rest -= count * size
    if rest or not keywords:
        keywords["seconds"] = py_literal(int(rest) if rest == int(rest) else float(rest))
    return call(SourceText("timedelta"), (), keywords)


def _wiring(dag: AirflowDag, refs: Mapping[str, SourceText]) -> Iterator[SourceText]:
    """The calls of all tasks, in order; those of a map where its last one comes, when all that it needs is there."""
    task_by_step = {task.step: task for task in dag.tasks}
    map_by_last = {found.steps[-1]: found for found in dag.maps}
    for task in dag.tasks:
        if task.kind != "map":
            yield _call(task, refs)
        elif found := map_by_last.get(task.step):
            if found.group:
                yield from _group(found, [task_by_step[step] for step in found.steps], refs)
            else:
                yield _mapped(task, found, refs)


def _call(task: AirflowTask, refs: Mapping[str, SourceText], depth: int = 1) -> SourceText:
    given = [*([_PART] if task.kind == "map" else []), *(refs[name] for name in task.upstream)]
    return statement(call(py_identifier(task.identifier), given), depth=depth, before=f"{refs[task.step]} = ")


def _mapped(task: AirflowTask, found: AirflowMap, refs: Mapping[str, SourceText]) -> SourceText:
    """`train_refs = train.partial(frame_refs=frame_refs).expand(part=expand_train_refs)`"""
    function = py_identifier(task.identifier)
    if task.upstream:
        same_for_all = {str(refs[name]): refs[name] for name in task.upstream}
        function = SourceText(statement(call(SourceText(f"{function}.partial"), (), same_for_all), depth=0))
    expression = call(SourceText(f"{function}.expand"), (), {"part": refs[found.expander]})
    return statement(expression, depth=1, before=f"{refs[task.step]} = ")


def _group(found: AirflowMap, tasks: Sequence[AirflowTask], refs: Mapping[str, SourceText]) -> Iterator[SourceText]:
    """A function that is a task group, and its call over the parts."""
    group = py_identifier(found.group)
    yield SourceText("")
    yield statement(SourceText("task_group(prefix_group_id=False)"), depth=1, before="@")
    yield SourceText(f"    def {group}(part):")
    for task in tasks:
        yield _call(task, refs, depth=2)
    for before, step in found.chains:
        yield _ordering(before, refs[step], refs, depth=2)
    results = sequence(refs[step] for step in found.steps)
    yield statement(results, depth=2, before="return ")
    yield SourceText("")
    made = statement(call(SourceText(f"{group}.expand"), (), {"part": refs[found.expander]}), depth=0)
    yield statement(results, depth=1, after=f" = {made}")


def _ordering(
    upstream: tuple[str, ...], then: SourceText, refs: Mapping[str, SourceText], depth: int = 1
) -> SourceText:
    before = refs[upstream[0]] if len(upstream) == 1 else sequence(refs[name] for name in upstream)
    return statement(before, depth=depth, after=f" >> {then}")


def _branch(gate: str, arms: tuple[str, ...], refs: Mapping[str, SourceText]) -> SourceText:
    after = refs[arms[0]] if len(arms) == 1 else sequence(refs[name] for name in arms)
    return statement(after, depth=1, before=f"{refs[gate]} >> ")
