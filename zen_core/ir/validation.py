"""The rules that hold for a whole pipeline, beyond what each model checks by itself. All problems at once.

Authoring, the compiler and whoever reads an IR document from a file call `validate`; an adapter may rely on it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from zen_core.contract.bindings import OutputBinding, ParameterBinding, iter_leaves
from zen_core.diagnostics import Diagnostic
from zen_core.ir.graph import find_cycle, upstream_edges
from zen_core.ir.specs import PipelineSpec, StepSpec

IR_PROBLEMS: Mapping[str, str] = {
    "ZEN-D301": "Two steps, parameters, inputs or outputs have one name.",
    "ZEN-D302": "An input or an ordering edge names a step that is not there.",
    "ZEN-D303": "An input names an output that its step does not have.",
    "ZEN-D304": "An input names a parameter that the pipeline does not have.",
    "ZEN-D305": "Steps wait for one another in a circle.",
    "ZEN-D306": "A step stands before one that it waits for.",
    "ZEN-D307": "The document is of an IR version that this Zen does not read.",
    "ZEN-D308": "The document is no IR.",
}
"""Every code of this layer, with what it means."""


def validate(pipeline: PipelineSpec) -> list[Diagnostic]:
    """All problems of the pipeline, in the order of its steps; an empty list when there are none."""
    problems = [*_find_duplicates(pipeline), *_find_unknown(pipeline)]
    if problems:
        return problems  # a graph with loose ends or double names has no order to judge
    return list(_find_disorder(pipeline))


def _find_duplicates(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    for name in _repeated(step.name for step in pipeline.steps):
        places = ", ".join(step.source for step in pipeline.steps if step.name == name and step.source)
        yield Diagnostic("ZEN-D301", f"two steps are named {name!r}", places or _where(pipeline))
    for name in _repeated(parameter.name for parameter in pipeline.parameters):
        yield Diagnostic("ZEN-D301", f"two parameters of the pipeline are named {name!r}", _where(pipeline))
    for step in pipeline.steps:
        for what, names in (("inputs", step.inputs), ("outputs", step.outputs)):
            for name in _repeated(item.name for item in names):
                yield Diagnostic("ZEN-D301", f"two {what} of step {step.name!r} are named {name!r}", _where(step))


def _find_unknown(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    parameters = {parameter.name for parameter in pipeline.parameters}
    outputs_by_step = {step.name: {output.name for output in step.outputs} for step in pipeline.steps}
    for step in pipeline.steps:
        for name in step.after:
            if name not in outputs_by_step:
                yield _unknown("ZEN-D302", step, f"step {step.name!r} is after step {name!r}", name, outputs_by_step)
        for item in step.inputs:
            for path, leaf in iter_leaves(item.binding):
                reader = f"input {item.name + path!r} of step {step.name!r} reads"
                if isinstance(leaf, ParameterBinding) and leaf.parameter not in parameters:
                    what = f"{reader} parameter {leaf.parameter!r}"
                    yield _unknown("ZEN-D304", step, what, leaf.parameter, parameters)
                elif isinstance(leaf, OutputBinding) and leaf.step not in outputs_by_step:
                    yield _unknown("ZEN-D302", step, f"{reader} step {leaf.step!r}", leaf.step, outputs_by_step)
                elif isinstance(leaf, OutputBinding) and leaf.output not in outputs_by_step[leaf.step]:
                    what = f"{reader} output {leaf.output!r} of step {leaf.step!r}"
                    yield _unknown("ZEN-D303", step, what, leaf.output, outputs_by_step[leaf.step])


def _find_disorder(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    upstream = upstream_edges(pipeline.steps)
    if cycle := find_cycle(upstream):
        step_by_name = pipeline.step_by_name
        chain = " -> ".join((*cycle, cycle[0]))
        yield Diagnostic(
            "ZEN-D305",
            f"steps wait for one another in a circle: {chain}",
            ", ".join(filter(None, (step_by_name[name].source for name in cycle))) or _where(pipeline),
            why="an arrow points from a step to one that it waits for",
            hint="take away one of these edges: an argument, or an `.after`",
            context={"steps": list(cycle)},
        )
        return
    done: set[str] = set()
    for step in pipeline.steps:
        for name in upstream[step.name]:
            if name not in done:
                yield Diagnostic(
                    "ZEN-D306",
                    f"step {step.name!r} stands before step {name!r}, which it waits for",
                    _where(step),
                    hint="an IR document lists its steps in a topological order (`ir.graph.order_steps`)",
                )
        done.add(step.name)


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return list(dict.fromkeys(name for name in names if name in seen or seen.add(name)))  # type: ignore[func-returns-value]


def _unknown(code: str, step: StepSpec, what: str, name: str, known: Iterable[str]) -> Diagnostic:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    listed = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {listed}" if names else "there is none"
    return Diagnostic(code, f"{what}, which is not there", _where(step), hint=hint)


def _where(part: PipelineSpec | StepSpec) -> str:
    kind = "step" if isinstance(part, StepSpec) else "pipeline"
    return f"{part.source}, {kind} {part.name!r}" if part.source else f"{kind} {part.name!r}"
