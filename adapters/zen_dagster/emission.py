"""From the job as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT, FormField
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.layout import Bracket, Expression, call, literal, mapping, sequence, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_core.codegen.tasks import header_lines
from zen_core.codegen.templates import render_template
from zen_dagster.lowering import DagsterJob, DagsterMap, DagsterOp, DagsterSchedule

_TEMPLATES = Path(__file__).parent / "templates"
_FUNCTION = {"step": "run_step", "gate": "ask", "expander": "expand", "map": "run_part"}
_NOTHING = SourceText("dg.Nothing")


def emit_job(job: DagsterJob, *, zen_version: str, ir_digest: str, waived: tuple[Feature, ...]) -> str:
    """The text of the definitions module."""
    schedule = _schedule(job)
    return render_template(
        _TEMPLATES,
        "definitions.py.j2",
        header=header_lines(
            f"A Dagster job, {EMITTED_BY} {zen_version}. Do not edit: change the pipeline and compile it again.",
            pipeline=job.name,
            ir_digest=ir_digest,
            waived=(feature.value for feature in waived),
        ),
        ir_digest=py_literal(ir_digest),
        job_name=py_literal(job.name),
        uses_gates=any(op.kind == "gate" for op in job.ops),
        uses_maps=bool(job.maps),
        parameters=_parameters(job) if job.parameters else "",
        definitions=[_definition(op, job) for op in job.ops],
        job=py_identifier(job.identifier),
        job_arguments=[
            statement(expression, depth=1, before=f"{py_identifier(name)}=", after=",")
            for name, expression in _job_arguments(job).items()
        ],
        wiring=list(_wiring(job)),
        schedule=schedule,
        schedules=SourceText(", schedules=[schedule]" if schedule else ""),
    )


def _parameters(job: DagsterJob) -> SourceText:
    fields = {field.name: _field(field) for field in job.parameters}
    return statement(mapping(fields), depth=1, before="config_schema=", after=",")


def _field(field: FormField) -> Expression:
    # Any: Dagster converts nothing, and Zen reads the value by the type that the pipeline declares.
    if field.default is NO_DEFAULT:
        return call(SourceText("dg.Field"), [SourceText("dg.Any")], {"is_required": py_literal(True)})
    kind = SourceText("dg.Noneable(dg.Any)" if field.default is None else "dg.Any")
    keywords = {"default_value": literal(field.default), "is_required": py_literal(False)}
    return call(SourceText("dg.Field"), [kind], keywords)


def _definition(op: DagsterOp, job: DagsterJob) -> SourceText:
    """The decorator, the function's head and its one line."""
    decorator = call(SourceText("op"), (), _op_arguments(op, job))
    answers = "return " if op.kind in ("gate", "expander") else ""
    body = call(py_identifier(_FUNCTION[op.kind]), [SourceText("context"), py_literal(op.step)])
    lines = (
        statement(decorator, depth=0, before="@"),
        SourceText(f"def {py_identifier(op.name)}(context):"),
        statement(body, depth=1, before=answers),
    )
    return join_source("\n", lines)


def _op_arguments(op: DagsterOp, job: DagsterJob) -> dict[str, Expression]:
    arguments: dict[str, Expression] = {}
    if op.condition:
        arguments["description"] = py_literal(op.condition)
    names = [name for name, _ in _waits(op)]
    if names or op.any_of:
        before = call(SourceText("after"), [py_literal(name) for name in names])
        if op.any_of:
            nothing = call(SourceText("dg.In"), [_NOTHING])
            either = mapping({f"any_of_{number}": nothing for number, _ in enumerate(op.any_of, start=1)})
            items: list[tuple[SourceText, Expression]] = [(SourceText("**"), before)] if names else []
            before = Bracket(SourceText("{"), (*items, *either.items), SourceText("}"))
        arguments["ins"] = before
    arguments["out"] = _out(op)
    if job.parameters:
        arguments["required_resource_keys"] = SourceText('{"parameters"}')
    if op.retry:
        keywords = {"max_retries": py_literal(op.retry.times), "delay": py_literal(_short(op.retry.delay_seconds))}
        if op.retry.doubling:
            keywords["backoff"] = SourceText("dg.Backoff.EXPONENTIAL")
        arguments["retry_policy"] = call(SourceText("dg.RetryPolicy"), (), keywords)
    if op.tags:
        arguments["tags"] = literal(dict(op.tags))
    if op.pool:
        arguments["pool"] = py_literal(op.pool)
    return arguments


def _out(op: DagsterOp) -> Expression:
    if op.kind == "gate":
        optional = call(SourceText("dg.Out"), [_NOTHING], {"is_required": py_literal(False)})
        return mapping({"yes": optional, "no": optional})
    return call(SourceText("dg.DynamicOut" if op.kind == "expander" else "dg.Out"), [_NOTHING])


def _short(seconds: float) -> float | int:
    return int(seconds) if seconds == int(seconds) else seconds


def _waits(op: DagsterOp) -> Iterator[tuple[str, str]]:
    """The inputs that must all be done: by name, the step that each waits for."""
    for name in dict.fromkeys((*([op.branch[0]] if op.branch else []), *op.after)):
        yield name, name
    for name in op.chains or ([op.expander] if op.expander else []):
        yield name, name


def _job_arguments(job: DagsterJob) -> dict[str, Expression]:
    arguments: dict[str, Expression] = {"name": py_literal(job.name)}
    if job.description:
        arguments["description"] = py_literal(job.description)
    arguments["tags"] = literal(dict(job.tags))
    if job.parameters:
        arguments["resource_defs"] = mapping({"parameters": SourceText("parameters")})
    if executor := _executor(job):
        configured = call(SourceText("dg.multiprocess_executor.configured"), [executor])
        arguments["executor_def"] = configured
    return arguments


def _executor(job: DagsterJob) -> Expression | None:
    found: dict[str, Expression] = {}
    if job.max_parallel is not None:
        found["max_concurrent"] = py_literal(job.max_parallel)
    limits = [
        literal({"key": "zen/map", "value": op.step, "limit": op.max_parallel})
        for op in job.ops
        if op.max_parallel is not None
    ]
    if limits:
        found["tag_concurrency_limits"] = sequence(limits)
    return mapping(found) if found else None


def _wiring(job: DagsterJob) -> Iterator[SourceText]:
    """The calls of all ops, in order; those of a map where its last one comes."""
    op_by_step = {op.step: op for op in job.ops}
    waited_for = {step for op in job.ops for step in _steps_before(op)}
    for op in job.ops:
        done = py_identifier(op.done)
        if op.kind == "map":
            if found := job.maps.get(op.step):
                yield from _map(found, op_by_step, waited_for)
        elif op.step not in waited_for:
            yield statement(_call(op, op_by_step), depth=1)
        elif op.kind == "gate":
            yield statement(_call(op, op_by_step), depth=1, before=f"{done}_yes, {done}_no = ")
        else:
            yield statement(_call(op, op_by_step), depth=1, before=f"{done} = ")


def _steps_before(op: DagsterOp) -> Iterator[str]:
    yield from (step for _, step in _waits(op))
    yield from (step for group in op.any_of for step in group)


def _map(found: DagsterMap, op_by_step: Mapping[str, DagsterOp], waited_for: Container[str]) -> Iterator[SourceText]:
    """A function that calls the steps of the map for one part, and its call over all parts."""
    members = [op_by_step[step] for step in found.steps]
    function = py_identifier(found.function)
    own = {op.step for op in members}
    kept = [py_identifier(op.done) for op in members if op.step in waited_for]
    yield SourceText("")
    yield SourceText(f"    def {function}(part):")
    for op in members:
        target = f"{py_identifier(op.done)} = " if op.step in waited_for else ""
        yield statement(_call(op, op_by_step, own), depth=2, before=target)
    if kept:
        yield statement(SourceText(", ".join(kept)), depth=2, before="return ")
    yield SourceText("")
    made = call(SourceText(f"{py_identifier(op_by_step[found.expander].done)}.map"), [function])
    yield statement(made, depth=1, before=f"{', '.join(kept)} = " if kept else "")


def _call(op: DagsterOp, op_by_step: Mapping[str, DagsterOp], own: Container[str] = ()) -> Expression:
    """The call of an op; `own` are the steps that run element by element with it."""
    keywords: dict[str, Expression] = {}
    for name, step in _waits(op):
        if op.kind == "map" and step == op.expander:
            keywords[f"after_{name}"] = SourceText("part")
        else:
            keywords[f"after_{name}"] = _done(op_by_step[step], op, own)
    for number, group in enumerate(op.any_of, start=1):
        keywords[f"any_of_{number}"] = sequence(_done(op_by_step[step], op, own) for step in group)
    return call(py_identifier(op.name), (), keywords)


def _done(other: DagsterOp, op: DagsterOp, own: Container[str]) -> SourceText:
    """What says that another step is done: of a gate its answer, of a map that all its parts are."""
    done = py_identifier(other.done)
    if other.kind == "gate":
        return SourceText(f"{done}_yes" if op.branch is None or op.branch[1] else f"{done}_no")
    return SourceText(f"{done}.collect()") if other.kind in ("map", "expander") and other.step not in own else done


def _schedule(job: DagsterJob) -> SourceText | str:
    found: DagsterSchedule | None = job.schedule
    if found is None:
        return ""
    arguments: dict[str, Expression] = {
        "name": py_literal(job.name),
        "job": py_identifier(job.identifier),
        "cron_schedule": py_literal(found.cron),
        "execution_timezone": py_literal(found.timezone),
        "default_status": SourceText("dg.DefaultScheduleStatus.RUNNING"),
    }
    if not found.skips:
        return statement(call(SourceText("dg.ScheduleDefinition"), (), arguments), depth=0, before="schedule = ")
    decorator = statement(call(SourceText("dg.schedule"), (), arguments), depth=0, before="@")
    body = f"""
def schedule(context):
    going_on = dg.RunsFilter(
        job_name={py_literal(job.name)},
        statuses=[
            dg.DagsterRunStatus.QUEUED,
            dg.DagsterRunStatus.NOT_STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.STARTED,
            dg.DagsterRunStatus.CANCELING,
        ],
    )
    if context.instance.get_runs_count(going_on):
        return dg.SkipReason("an earlier run is going on")
    return dg.RunRequest()"""
    return SourceText(decorator + body)
