"""From the flow as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.layout import Bracket, Expression, call, literal, sequence, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_core.codegen.tasks import header_lines, run_step_call
from zen_core.codegen.templates import render_template
from zen_prefect.arranging import Answer, iter_submissions
from zen_prefect.body import chains_in_parts, write_body
from zen_prefect.lowering import PrefectFlow, PrefectTask, annotation

_TEMPLATES = Path(__file__).parent / "templates"
_END_HOOKS = ("on_completion", "on_failure", "on_cancellation", "on_crashed")


def emit_flow(flow: PrefectFlow, *, zen_version: str, ir_digest: str, waived: tuple[Feature, ...]) -> str:
    """The text of the flow's module."""
    refs = {task.step: py_identifier(task.refs) for task in flow.tasks}
    credentials = flow.options.credentials
    return render_template(
        _TEMPLATES,
        "flow.py.j2",
        header=header_lines(
            f"A Prefect flow, {EMITTED_BY} {zen_version}. Do not edit: change the pipeline and compile it again.",
            pipeline=flow.name,
            ir_digest=ir_digest,
            waived=(feature.value for feature in waived),
        ),
        # Names of Secret blocks, never their values.
        credentials=statement(literal(credentials), depth=0, before="CREDENTIALS = ") if credentials else "",
        credentials_argument=SourceText(", CREDENTIALS" if credentials else ""),
        at_once=SourceText(f", at_once={py_literal(flow.at_once)}" if flow.at_once else ""),
        definitions=[_definition(task, refs) for task in flow.tasks],
        flow_arguments=[
            statement(expression, depth=1, before=f"{name}=", after=",")
            for name, expression in _flow_arguments(flow).items()
        ],
        head=_head(flow),
        body=write_body(flow),
        ir_digest=py_literal(ir_digest),
        prefect_names=SourceText(", ".join(_prefect_names(flow))),
        uses_maps=_has_maps(flow),
        uses_branches=_has_branches(flow),
        uses_decisions=_has_maps(flow) or _has_branches(flow),
        uses_conditions=bool(flow.conditional),
        uses_lanes=bool(flow.lane_names),
    )


def _prefect_names(flow: PrefectFlow) -> list[str]:
    names = ["flow", "task"]
    if any(map(chains_in_parts, flow.tasks)):
        names.insert(0, "allow_failure")
    if _has_maps(flow):
        names.append("unmapped")
    return names


def _has_maps(flow: PrefectFlow) -> bool:
    return any(task.fan_out for task in flow.tasks)


def _has_branches(flow: PrefectFlow) -> bool:
    conditions = (condition for entry in iter_submissions(flow.entries) for condition in entry.conditions)
    return any(isinstance(condition, Answer) for condition in conditions)


def _definition(task: PrefectTask, refs: Mapping[str, SourceText]) -> SourceText:
    """The decorator, the function's head and its one line."""
    decorator = call(SourceText("task"), (), _task_arguments(task))
    decorator = Bracket(
        decorator.opening, (*decorator.items, (SourceText("**"), SourceText("STEP"))), decorator.closing
    )
    part = [SourceText("part")] if task.fan_out else []
    chains = task.fan_out.chains if task.fan_out else ()
    head = Bracket(
        SourceText(f"{py_identifier(task.identifier)}("),
        tuple((SourceText(""), name) for name in (*part, *(refs[name] for name in (*chains, *task.upstream)))),
        SourceText("):"),
    )
    function = "run_part" if task.fan_out else "run_step"
    body = run_step_call(task.step, task.upstream, refs, function=function, arguments=part)
    lines = (
        statement(decorator, depth=0, before="@"),
        statement(head, depth=0, before="def "),
        statement(body, depth=1, before="return "),
    )
    return join_source("\n", lines)


def _task_arguments(task: PrefectTask) -> dict[str, Expression]:
    # Without `retries`, the installation's own default would retry a step that asks for none.
    arguments: dict[str, Expression] = {
        "name": py_literal(task.step),
        # Prefect fills in the number of the element, or where a task runs several, of the part.
        "task_run_name": py_literal(f"{task.step}[{{part}}]" if task.fan_out else task.step),
        "retries": py_literal(task.retries),
    }
    if task.retries:
        delays = list(task.delays) if isinstance(task.delays, tuple) else task.delays
        arguments["retry_delay_seconds"] = literal(_short(delays))
        # Likewise: a delay is what the step says.
        arguments["retry_jitter_factor"] = py_literal(0)
    if task.tags:
        arguments["tags"] = literal(list(task.tags))
    if task.description:
        arguments["description"] = py_literal(task.description)
    return arguments


def _short(seconds: Any) -> Any:
    """Whole numbers without a fraction."""
    if isinstance(seconds, list):
        return [_short(item) for item in seconds]
    return int(seconds) if seconds == int(seconds) else seconds


def _flow_arguments(flow: PrefectFlow) -> dict[str, Expression]:
    arguments: dict[str, Expression] = {"name": py_literal(flow.name)}
    if flow.description:
        arguments["description"] = py_literal(flow.description)
    arguments["task_runner"] = call(SourceText("ThreadPoolTaskRunner"), (), {"max_workers": py_literal(flow.threads)})
    arguments["retries"] = py_literal(flow.options.flow_retries)
    if flow.options.flow_retry_delay_seconds:
        arguments["retry_delay_seconds"] = py_literal(_short(flow.options.flow_retry_delay_seconds))
    # Zen reads the values by the types that the pipeline declares, so that nothing is converted on the way.
    arguments["validate_parameters"] = py_literal(False)
    arguments["persist_result"] = py_literal(False)
    arguments["log_prints"] = py_literal(False)
    arguments["on_running"] = sequence([SourceText("start_run")])
    for hook in _END_HOOKS:
        arguments[hook] = sequence([SourceText("end_run")])
    return arguments


def _head(flow: PrefectFlow) -> SourceText:
    """`def churn(depth: int = 4):`"""
    items: list[tuple[SourceText, Expression]] = []
    for field in flow.parameters:
        kind = annotation(field)
        name = f"{py_identifier(field.name)}: {kind}" if kind else str(py_identifier(field.name))
        if field.default is NO_DEFAULT:
            items.append((SourceText(""), SourceText(name)))
        else:
            equals = " = " if kind else "="
            items.append((SourceText(f"{name}{equals}"), literal(field.default)))
    head = Bracket(SourceText(f"{py_identifier(flow.identifier)}("), tuple(items), SourceText("):"))
    return statement(head, depth=0, before="def ")
