"""From the DAG as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zen_airflow.lowering import END_TASK, AirflowDag, AirflowSchedule, AirflowTask
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
        wiring=[_wiring(task, refs) for task in dag.tasks],
        orderings=[_ordering(upstream, refs[name], refs) for upstream, name in dag.orderings],
        closing=_ordering(dag.leaves, SourceText(f"{py_identifier(END_TASK)}().as_teardown()"), refs),
    )


def _sdk_names(dag: AirflowDag) -> SourceText:
    names = ["dag", "task"]
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
    decorator = call(SourceText("task"), (), _task_arguments(task))
    # The parameters are called like the variables, not like the steps: Airflow keeps names such as `params` and
    # `self` for itself, and no such name ends in `_refs`.
    head = Bracket(
        SourceText(f"{py_identifier(task.identifier)}("),
        tuple((SourceText(""), refs[name]) for name in task.upstream),
        SourceText("):"),
    )
    lines = (
        statement(decorator, depth=1, before="@"),
        statement(head, depth=1, before="def "),
        statement(run_step_call(task.step, task.upstream, refs), depth=2, before="return "),
    )
    return join_source("\n", lines)


def _task_arguments(task: AirflowTask) -> dict[str, Expression]:
    arguments: dict[str, Expression] = {}
    if task.identifier != task.step:
        arguments["task_id"] = py_literal(task.step)
    arguments["multiple_outputs"] = py_literal(False)
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


def _wiring(task: AirflowTask, refs: Mapping[str, SourceText]) -> SourceText:
    expression = call(py_identifier(task.identifier), [refs[name] for name in task.upstream])
    return statement(expression, depth=1, before=f"{refs[task.step]} = ")


def _ordering(upstream: tuple[str, ...], then: SourceText, refs: Mapping[str, SourceText]) -> SourceText:
    before = refs[upstream[0]] if len(upstream) == 1 else sequence(refs[name] for name in upstream)
    return statement(before, depth=1, after=f" >> {then}")
