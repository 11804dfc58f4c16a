"""From the flow as data to its text. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.layout import LINE_LENGTH, Bracket, Expression, call, literal, sequence, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_core.codegen.tasks import header_lines, run_step_call
from zen_core.codegen.templates import render_template
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
        at_once=SourceText(f"at_once={py_literal(flow.at_once)}" if flow.at_once else ""),
        definitions=[_definition(task, refs) for task in flow.tasks],
        flow_arguments=[
            statement(expression, depth=1, before=f"{name}=", after=",")
            for name, expression in _flow_arguments(flow).items()
        ],
        head=_head(flow),
        submissions=list(_submissions(flow, refs)),
        results=statement(
            call(
                SourceText("_results"),
                [
                    sequence(
                        SourceText(f"*{refs[task.step]}") if task.fan_out else refs[task.step] for task in flow.tasks
                    )
                ],
            ),
            depth=1,
            before="return ",
        ),
        ir_digest=py_literal(ir_digest),
        uses_maps=any(task.fan_out for task in flow.tasks),
    )


def _definition(task: PrefectTask, refs: Mapping[str, SourceText]) -> SourceText:
    """The decorator, the function's head and its one line."""
    decorator = call(SourceText("task"), (), _task_arguments(task))
    decorator = Bracket(
        decorator.opening, (*decorator.items, (SourceText("**"), SourceText("STEP"))), decorator.closing
    )
    part = [SourceText("part")] if task.fan_out else []
    head = Bracket(
        SourceText(f"{py_identifier(task.identifier)}("),
        tuple((SourceText(""), name) for name in (*part, *(refs[name] for name in task.upstream))),
        SourceText("):"),
    )
    arguments: list[Expression] = [*part]
    if task.fan_out and task.fan_out.max_parallel is not None:
        arguments.append(py_literal(task.fan_out.max_parallel))
    function = "run_part" if task.fan_out else "run_step"
    body = run_step_call(task.step, task.upstream, refs, function=function, arguments=arguments)
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
        "task_run_name": py_literal(f"{task.step}-{{part}}" if task.fan_out else task.step),
        "retries": py_literal(task.retries),
    }
    if task.retries:
        delays = list(task.delays) if isinstance(task.delays, tuple) else task.delays
        arguments["retry_delay_seconds"] = literal(_short(delays))
        # Likewise: a delay is what the step says.
        arguments["retry_jitter_factor"] = py_literal(0)
    if task.tags:
        arguments["tags"] = literal(list(task.tags))
    if task.condition:
        arguments["description"] = py_literal(task.condition)
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


def _submissions(flow: PrefectFlow, refs: Mapping[str, SourceText]) -> Iterator[SourceText]:
    mapped = {task.step for task in flow.tasks if task.fan_out}
    for task in flow.tasks:
        if task.fan_out and task.fan_out.begins:
            given = [refs[task.fan_out.expander], *([py_literal(task.fan_out.chunk)] if task.fan_out.chunk > 1 else [])]
            made = call(SourceText("parts_of"), given)
            yield statement(made, depth=1, before=f"{py_identifier(task.fan_out.parts)} = ")
        yield _submission(task, refs, mapped)


def _submission(task: PrefectTask, refs: Mapping[str, SourceText], mapped: Container[str]) -> SourceText:
    """`x_refs = x.submit(a_refs, wait_for=[b_refs])`, or a list of such for the parts of a map."""
    fan_out = task.fan_out
    earlier = [SourceText(f"before_{number}") for number, _ in enumerate(fan_out.chains if fan_out else (), start=1)]
    waits = [*(SourceText(f"*{refs[name]}") if name in mapped else refs[name] for name in task.waits), *earlier]
    part = [SourceText("part")] if fan_out else []
    made = call(
        SourceText(f"{py_identifier(task.identifier)}.submit"),
        [*part, *(refs[name] for name in task.upstream)],
        {"wait_for": sequence(waits)} if waits else {},
    )
    if fan_out is None:
        return statement(made, depth=1, before=f"{refs[task.step]} = ")
    parts = py_identifier(fan_out.parts)
    if earlier:
        names = ", ".join(("part", *earlier))
        lists = ", ".join((parts, *(refs[name] for name in fan_out.chains)))
        loop = SourceText(f"for {names} in zip({lists}, strict=True)")
    else:
        loop = SourceText(f"for part in {parts}")
    flat = f"    {refs[task.step]} = [{statement(made, depth=0)} {loop}]"
    if "\n" not in flat and len(flat) <= LINE_LENGTH:
        return SourceText(flat)
    inner = statement(made, depth=2)
    return SourceText(f"    {refs[task.step]} = [\n{inner}\n        {loop}\n    ]")
