"""Every problem that a pipeline's definition can have: one code per kind, and one function that tells it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from zen_core.diagnostics import Diagnostic

PROBLEMS: Mapping[str, str] = {
    "ZEN-D101": "A step is called with arguments that its function does not take, or without one that it needs.",
    "ZEN-D102": "A value is passed where another type is declared.",
    "ZEN-D103": "A constant or a default has no JSON form, so that no task could be given it.",
    "ZEN-D104": "Two steps are given one name.",
    "ZEN-D105": "A name cannot be used in the IR.",
    "ZEN-D106": "The result of a step, or a parameter, is used as a value while the pipeline is built.",
    "ZEN-D107": "A function's signature cannot be a step's or a pipeline's.",
    "ZEN-D108": "The outputs of a step are declared in a way that cannot be read.",
    "ZEN-D109": "The outputs of a step are unpacked into another number of names.",
    "ZEN-D110": "A step is given something that is no result of a step of this pipeline.",
    "ZEN-D111": "`.after` is given something that is no result of a step of this pipeline.",
    "ZEN-D112": "An option such as `retry` or `schedule` has a value that cannot be.",
    "ZEN-D113": "The default of a pipeline parameter does not fit its annotation, or is no value of its own.",
    "ZEN-D114": "A pipeline is called like a function, or within itself.",
    "ZEN-D115": "A pipeline calls no step.",
    "ZEN-D116": "A step's function cannot be imported by a task.",
    "ZEN-D117": "A decorator is put on something that is no function.",
    "ZEN-D118": "A `.map` cannot be, such as one that has nothing to map, or that maps what is no list.",
    "ZEN-D119": "A condition, a branch or a choice cannot be.",
    "ZEN-D120": "The result of a step in a branch is used outside the branch.",
    "ZEN-D121": "A hook takes or has something that only a step of the pipeline can.",
    "ZEN-D201": "The pipeline's file or module is not there.",
    "ZEN-D202": "The pipeline's file cannot be imported by name from the project's root.",
    "ZEN-D203": "The pipeline's file raises an exception when it is imported.",
    "ZEN-D204": "The file has no such pipeline, or several and none is named.",
}
"""Every code of authoring, with what it means; those of whole IR documents are in `ir.validation.IR_PROBLEMS`."""


def missing_arguments(where: str, subject: str, names: Sequence[str]) -> Diagnostic:
    """Parameters without a default that the call does not give."""
    listed = _listed(names)
    return Diagnostic("ZEN-D101", f"{subject} is called without {listed}", where, hint=f"pass {listed}")


def unknown_argument(where: str, subject: str, name: str, known: Sequence[str]) -> Diagnostic:
    """A keyword that the function does not have."""
    return Diagnostic(
        "ZEN-D101",
        f"{subject} has no parameter {name!r}",
        where,
        hint=did_you_mean(name, known) or (f"its parameters: {', '.join(known)}" if known else "it takes none"),
    )


def repeated_argument(where: str, subject: str, name: str) -> Diagnostic:
    """An argument given by position and by keyword."""
    return Diagnostic("ZEN-D101", f"{subject} is given {name!r} twice", where, hint="pass it once")


def too_many_arguments(where: str, subject: str, given: int, known: Sequence[str]) -> Diagnostic:
    """More positional arguments than the function takes."""
    takes = f"{len(known)}: {', '.join(known)}" if known else "none"
    return Diagnostic(
        "ZEN-D101",
        f"{subject} is called with {given} positional arguments, and takes {takes}",
        where,
        hint="take the others away, or pass keyword-only ones by name",
    )


def type_mismatch(where: str, subject: str, port: str, *, given: str, expected: str, hint: str) -> Diagnostic:
    """An argument whose type does not fit the parameter's annotation; `given` says what it is."""
    return Diagnostic("ZEN-D102", f"{subject} takes {port!r} as {expected}, and is given {given}", where, hint=hint)


def unserializable_constant(where: str, subject: str, part: str, type_name: str, *, default: bool) -> Diagnostic:
    """A constant argument, or a default, that has no JSON form."""
    return Diagnostic(
        "ZEN-D103",
        f"the {'default' if default else 'argument'} {part} of {subject} is a {type_name}, which has no JSON form",
        where,
        why="constants are written into the pipeline's document, so that any task can read them",
        hint="make the value inside a step"
        + (", with None as the default" if default else ", or pass the plain data that it is made from"),
    )


def duplicate_name(where: str, name: str, other: str) -> Diagnostic:
    """A name given with `with_options` that another step has."""
    return Diagnostic(
        "ZEN-D104",
        f"two steps are named {name!r}",
        where,
        why=f"the other one is at {other}",
        hint="rename one of them",
    )


def invalid_name(where: str, kind: str, name: str, *, proposal: str, spelling: str) -> Diagnostic:
    """A name that the IR does not take; `proposal` is one that it does."""
    return Diagnostic(
        "ZEN-D105",
        f"the {kind} name {name!r} cannot be used",
        where,
        why="names are lower-case letters, digits and underscores, begin with a letter, and have at most 63 characters",
        hint=f"write {spelling.format(proposal)}" if proposal else f"give it another name: {spelling.format('…')}",
    )


def invalid_port_name(where: str, kind: str, name: str, *, why: str = "") -> Diagnostic:
    """A parameter's or an output's name that the IR does not take."""
    return Diagnostic(
        "ZEN-D105",
        f"the {kind} name {name!r} cannot be used",
        where,
        why=why or "names are ASCII identifiers of at most 63 characters",
        hint="rename it",
    )


def handle_misuse(where: str, subject: str, use: str, hint: str) -> Diagnostic:
    """A handle used as if it were the value."""
    return Diagnostic(
        "ZEN-D106",
        f"{subject} {use}",
        where,
        why="the pipeline's function runs once, when the pipeline is built: no step has run, there is no value yet",
        hint=hint,
    )


def unsupported_signature(where: str, what: str, hint: str) -> Diagnostic:
    """A parameter kind, or a kind of function, that cannot be a step or a pipeline."""
    return Diagnostic("ZEN-D107", what, where, hint=hint)


def invalid_outputs(where: str, step: str, what: str, hint: str) -> Diagnostic:
    """A return annotation that cannot be read as outputs."""
    return Diagnostic("ZEN-D108", f"the outputs of step {step!r} {what}", where, hint=hint)


def wrong_unpacking(where: str, step: str, function: str, outputs: Sequence[str], wanted: int) -> Diagnostic:
    """`a, b, c = split(x)` for a step with another number of outputs."""
    names = ", ".join(outputs)
    return Diagnostic(
        "ZEN-D109",
        f"step {step!r} has {len(outputs)} outputs ({names}), and is unpacked into {wanted}",
        where,
        hint=f"write {names} = {function}(…)",
    )


def not_a_result(where: str, subject: str, part: str, what: str, hint: str) -> Diagnostic:
    """An argument that looks like a result and is none of this pipeline's."""
    return Diagnostic("ZEN-D110", f"the argument {part} of {subject} is {what}", where, hint=hint)


def invalid_after(where: str, step: str, what: str, hint: str) -> Diagnostic:
    """Something that a step cannot come after."""
    return Diagnostic("ZEN-D111", f"step {step!r} is after {what}", where, hint=hint)


def invalid_option(where: str, what: str, hint: str) -> Diagnostic:
    """A value of Retry, Resources, Cache, Schedule, a timeout or tags that cannot be."""
    return Diagnostic("ZEN-D112", what, where, hint=hint)


def invalid_default(where: str, pipeline: str, name: str, what: str, hint: str) -> Diagnostic:
    """A pipeline parameter whose default does not fit."""
    return Diagnostic("ZEN-D113", f"parameter {name!r} of pipeline {pipeline!r} {what}", where, hint=hint)


def pipeline_called(where: str, pipeline: str) -> Diagnostic:
    """A pipeline called like a function, outside the body of another."""
    return Diagnostic(
        "ZEN-D114",
        f"pipeline {pipeline!r} is called like a function",
        where,
        why="its body only describes the steps",
        hint=f"run it with {pipeline}.run(…) or `zen run`, or compile it with `zen compile`",
    )


def pipeline_in_itself(where: str, pipeline: str) -> Diagnostic:
    """A pipeline whose body calls it again, perhaps by way of another."""
    hint = "a pipeline that is called in another one becomes part of it, which would have no end here"
    return Diagnostic("ZEN-D114", f"pipeline {pipeline!r} is called within itself", where, hint=hint)


def pipeline_mapped(where: str, pipeline: str) -> Diagnostic:
    """`.map` of a pipeline."""
    return Diagnostic(
        "ZEN-D118",
        f"pipeline {pipeline!r} is mapped, and only a step can be",
        where,
        why="an element of a map runs steps, with no condition and no other map within",
        hint="map its steps one after another: a result of a mapped step is mapped on element by element",
    )


def invalid_map(where: str, step: str, what: str, hint: str) -> Diagnostic:
    """A `.map` with nothing to map, or over what is no list."""
    return Diagnostic("ZEN-D118", f"the map of step {step!r} {what}", where, hint=hint)


def not_mapped(where: str, step: str, option: str) -> Diagnostic:
    """An option of maps on a step that is called plainly."""
    hint = "call it with `.map`, or take the option away"
    return Diagnostic("ZEN-D118", f"step {step!r} has {option}, and is called without `.map`", where, hint=hint)


def no_tick(where: str, subject: str, name: str) -> Diagnostic:
    """A parameter of a pipeline within another one, which only a schedule of its own would fill."""
    return Diagnostic(
        "ZEN-D112",
        f"{subject} takes {name!r} from its schedule, and is called here",
        where,
        why="only the pipeline that is run has a schedule",
        hint=f"give the outer pipeline a parameter {name}: datetime = ScheduledTime(), and pass it",
    )


def invalid_condition(where: str, what: str, hint: str) -> Diagnostic:
    """A condition that is none, or branches that are put together wrongly."""
    return Diagnostic("ZEN-D119", what, where, hint=hint)


def outside_a_pipeline(where: str, function: str) -> Diagnostic:
    """`when`, `either`, `broadcast` or `.map` where no pipeline is being built."""
    return Diagnostic(
        "ZEN-D119",
        f"`{function}` is used outside a pipeline's body",
        where,
        why="it describes steps, and outside a pipeline there is nothing to describe",
        hint="use it in a function decorated with @pipeline, or in one that such a function calls",
    )


def used_outside_branch(where: str, subject: str, part: str, made_by: str, made_at: str) -> Diagnostic:
    """An argument that exists only when a branch is taken which this step does not lie in."""
    return Diagnostic(
        "ZEN-D120",
        f"the argument {part} of {subject} is the result of step {made_by!r}, whose branch it does not lie in",
        where,
        why=f"step {made_by!r}, called at {made_at}, runs only when its condition holds",
        hint="choose with either(…) between what the branches made, or call this step in the branch too",
    )


def invalid_hook(where: str, hook: str, what: str, hint: str) -> Diagnostic:
    """A hook with a parameter that nothing fills."""
    return Diagnostic("ZEN-D121", f"hook {hook!r} {what}", where, hint=hint)


def no_steps(where: str, pipeline: str) -> Diagnostic:
    """A pipeline whose body calls no step."""
    return Diagnostic(
        "ZEN-D115",
        f"pipeline {pipeline!r} calls no step",
        where,
        hint="call functions decorated with @step in its body",
    )


def not_importable(where: str, step: str, why: str, hint: str) -> Diagnostic:
    """A step that runs in this process but in no task. Refuses compiling, not a local run."""
    return Diagnostic("ZEN-D116", f"step {step!r} cannot be compiled: {why}", where, hint=hint)


def not_a_function(where: str, decorator: str, what: str) -> Diagnostic:
    """`@step` or `@pipeline` on a class, an object, or called with a name."""
    return Diagnostic(
        "ZEN-D117",
        f"@{decorator} is put on {what}, which is no function",
        where,
        hint=f"put it on a function defined with `def`; options are keywords: @{decorator}(tags=[…])",
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or ""."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _listed(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
