"""The rules that hold for a whole pipeline, beyond what each model checks by itself. All problems at once.

Authoring, the compiler and whoever reads an IR document from a file call `validate`; an adapter may rely on it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from zen_core.contract.bindings import ElementBinding, OutputBinding, ParameterBinding, iter_leaves, iter_outputs
from zen_core.contract.conditions import condition_inputs
from zen_core.diagnostics import Diagnostic
from zen_core.ir.graph import find_cycle, steps_by_expander, upstream_edges
from zen_core.ir.specs import COUNT, TAKEN, BranchSpec, PipelineSpec, StepSpec

IR_PROBLEMS: Mapping[str, str] = {
    "ZEN-D301": "Two steps, parameters, inputs or outputs have one name.",
    "ZEN-D302": "An input or an ordering edge names a step that is not there.",
    "ZEN-D303": "An input names an output that its step does not have.",
    "ZEN-D304": "An input names a parameter that the pipeline does not have.",
    "ZEN-D305": "Steps wait for one another in a circle.",
    "ZEN-D306": "A step stands before one that it waits for.",
    "ZEN-D307": "The document is of an IR version that this Zen does not read.",
    "ZEN-D308": "The document is no IR.",
    "ZEN-D309": "A gate, an expander, a hook or a step of a map is not put together as it must be.",
    "ZEN-D310": "What is made inside a branch is used outside it.",
}
"""Every code of this layer, with what it means."""


def validate(pipeline: PipelineSpec) -> list[Diagnostic]:
    """All problems of the pipeline, in the order of its steps; an empty list when there are none."""
    problems = [*_find_duplicates(pipeline), *_find_unknown(pipeline)]
    if problems:
        return problems  # a graph with loose ends or double names has no order to judge
    problems = [*_find_malformed(pipeline), *_find_disorder(pipeline)]
    # Branches are followed from gate to gate, which needs a graph without circles.
    return problems or list(_find_uses_outside(pipeline))


def _find_duplicates(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    steps = (*pipeline.steps, *pipeline.hooks)
    for name in _repeated(step.name for step in steps):
        places = ", ".join(step.source for step in steps if step.name == name and step.source)
        yield Diagnostic("ZEN-D301", f"two steps are named {name!r}", places or _where(pipeline))
    for name in _repeated(parameter.name for parameter in pipeline.parameters):
        yield Diagnostic("ZEN-D301", f"two parameters of the pipeline are named {name!r}", _where(pipeline))
    for step in steps:
        for what, names in (("inputs", step.inputs), ("outputs", step.outputs)):
            for name in _repeated(item.name for item in names):
                yield Diagnostic("ZEN-D301", f"two {what} of step {step.name!r} are named {name!r}", _where(step))


def _find_unknown(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    parameters = {parameter.name for parameter in pipeline.parameters}
    outputs_by_step = {step.name: {output.name for output in step.outputs} for step in pipeline.steps}
    for step in (*pipeline.steps, *pipeline.hooks):
        named = (*step.after, *([step.when.gate] if step.when else ()), *([step.map.expander] if step.map else ()))
        for name in named:
            if name not in outputs_by_step:
                yield _unknown("ZEN-D302", step, f"step {step.name!r} is after step {name!r}", name, outputs_by_step)
        for item in step.inputs:
            for path, leaf in iter_leaves(item.binding):
                reader = f"input {item.name + path!r} of step {step.name!r} reads"
                if isinstance(leaf, ParameterBinding) and leaf.parameter not in parameters:
                    what = f"{reader} parameter {leaf.parameter!r}"
                    yield _unknown("ZEN-D304", step, what, leaf.parameter, parameters)
                for output in iter_outputs(leaf):
                    if output.step not in outputs_by_step:
                        yield _unknown("ZEN-D302", step, f"{reader} step {output.step!r}", output.step, outputs_by_step)
                    elif output.output not in outputs_by_step[output.step]:
                        what = f"{reader} output {output.output!r} of step {output.step!r}"
                        yield _unknown("ZEN-D303", step, what, output.output, outputs_by_step[output.step])


def _find_malformed(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    """Gates, expanders, maps and hooks that are not whole, or point to something of another kind."""
    step_by_name = pipeline.step_by_name
    for step in pipeline.steps:
        for fault in _faults(step, step_by_name):
            yield Diagnostic("ZEN-D309", f"step {step.name!r} {fault}", _where(step))
    for hook in pipeline.hooks:
        for fault in _hook_faults(hook):
            yield Diagnostic("ZEN-D309", f"hook {hook.name!r} {fault}", _where(hook))
    for expander, members in steps_by_expander(pipeline.steps).items():
        if not members:
            yield Diagnostic("ZEN-D309", f"no step is mapped by expander {expander!r}", _where(step_by_name[expander]))
        if len({step.map.chunk for step in members if step.map}) > 1:
            names = ", ".join(repr(step.name) for step in members)
            what = f"steps {names} are mapped together with chunks of different sizes"
            yield Diagnostic("ZEN-D309", what, _where(step_by_name[expander]))


def _faults(step: StepSpec, step_by_name: Mapping[str, StepSpec]) -> Iterator[str]:
    if step.kind == "hook":
        yield "is a hook: hooks stand in `hooks`"
    if (step.kind == "step") is (step.entry_point is None):
        yield "has no entry point" if step.kind == "step" else "has an entry point, and runs no code of the user's"
    if (step.kind == "gate") is (step.condition is None):
        yield "has no condition" if step.kind == "gate" else "has a condition, and is no gate"
    outputs = [output.name for output in step.outputs]
    inputs = [item.name for item in step.inputs]
    if step.kind == "gate":
        if outputs != [TAKEN]:
            yield f"is a gate, and its outputs are not [{TAKEN!r}]"
        if step.condition and set(condition_inputs(step.condition)) != set(inputs):
            yield "asks for other inputs than it has"
    if step.kind == "expander" and (outputs != [COUNT, *inputs] or not inputs):
        yield f"is an expander, and its outputs are not {COUNT!r} and one for each input"
    if step.when and step_by_name[step.when.gate].kind != "gate":
        yield f"lies in a branch of {step.when.gate!r}, which is no gate"
    if step.on:
        yield "says how the run must have ended, and is no hook"
    yield from _map_faults(step, step_by_name)


def _map_faults(step: StepSpec, step_by_name: Mapping[str, StepSpec]) -> Iterator[str]:
    expander = step_by_name[step.map.expander] if step.map else None
    if step.map and step.kind != "step":
        yield "is mapped, and is no step"
    if expander and expander.kind != "expander":
        yield f"is mapped by {expander.name!r}, which is no expander"
    if expander and expander.when != step.when:
        yield f"lies in another branch than its expander {expander.name!r}"
    elements = [
        leaf for item in step.inputs for _, leaf in iter_leaves(item.binding) if isinstance(leaf, ElementBinding)
    ]
    if step.map and not elements:
        yield "is mapped, and reads no element"
    for leaf in elements:
        source = step_by_name[leaf.step]
        same_map = step.map and (
            leaf.step == step.map.expander or (source.map and source.map.expander == step.map.expander)
        )
        if not same_map:
            yield f"reads an element of step {leaf.step!r}, which is not of its map"
    if step.kind == "gate":
        for output in (output for item in step.inputs for output in iter_outputs(item.binding)):
            if step_by_name[output.step].map:
                yield f"asks step {output.step!r}, which is mapped: a condition reads scalars"


def _hook_faults(hook: StepSpec) -> Iterator[str]:
    if hook.kind != "hook" or hook.on is None or hook.entry_point is None:
        yield "does not say what it runs, and on what"
    if hook.after or hook.when or hook.map or any(any(iter_outputs(item.binding)) for item in hook.inputs):
        yield "depends on a step: it runs when all of them have ended"


def _find_uses_outside(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    """Outputs of a branch that are read outside it, other than through `either`."""
    step_by_name = pipeline.step_by_name
    paths: dict[str, tuple[BranchSpec, ...]] = {}
    for step in pipeline.steps:  # in topological order: the gate comes before what lies in its branches
        paths[step.name] = (*paths[step.when.gate], step.when) if step.when else ()
    for step in pipeline.steps:
        leaves = [(item.name + path, leaf) for item in step.inputs for path, leaf in iter_leaves(item.binding)]
        for port, leaf in leaves:
            if not isinstance(leaf, (OutputBinding, ElementBinding)):
                continue
            made = paths[leaf.step]
            if paths[step.name][: len(made)] != made:
                yield _used_outside(step, port, step_by_name[leaf.step])


def _used_outside(step: StepSpec, port: str, made_by: StepSpec) -> Diagnostic:
    return Diagnostic(
        "ZEN-D310",
        f"input {port!r} of step {step.name!r} reads step {made_by.name!r}, whose branch it does not lie in",
        _where(step),
        why="when the branch is not taken, there is nothing to read",
        hint=f"choose with `either(...)`, or move the step into the branch of {_where(made_by)}",
    )


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
