"""What the task functions of all Python targets have in common: the names of refs, and the call of `run_step`."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping

from zen_core.codegen.layout import Bracket, Expression, call, mapping
from zen_core.codegen.literals import SourceText, py_identifier, py_literal
from zen_core.codegen.names import free_identifier


def refs_variables(identifiers: Mapping[str, str], *, reserved: Iterable[str] = ()) -> dict[str, str]:
    """For each step the variable that holds what its task returns: `NAME_refs`, or the next that is free.

    Args:
        identifiers: the task functions' names by step.
        reserved: further identifiers that the emitted file uses.
    """
    taken = {*identifiers.values(), *reserved}
    found = {}
    for name, identifier in identifiers.items():
        found[name] = free_identifier(f"{identifier.rstrip('_') or identifier}_refs", taken)
        taken.add(found[name])
    return found


def run_step_call(
    step: str,
    upstream: Iterable[str],
    refs: Mapping[str, SourceText],
    *,
    function: str = "run_step",
    arguments: Iterable[Expression] = (),
) -> Expression:
    """`run_step("split", load=load_refs)`; a step whose name is a keyword of Python is handed over as text.

    Args:
        function: the emitted file's own function.
        arguments: what else it is given by position.
    """
    names = tuple(upstream)
    plain = {name: refs[name] for name in names if not keyword.iskeyword(name)}
    others = {name: refs[name] for name in names if keyword.iskeyword(name)}
    found = call(py_identifier(function), [py_literal(step), *arguments], plain)
    if not others:
        return found
    return Bracket(found.opening, (*found.items, (SourceText("**"), mapping(others))), found.closing)


def header_lines(first: str, *, pipeline: str, ir_digest: str, waived: Iterable[str]) -> tuple[SourceText, ...]:
    """The first lines of an emitted file: what it is, the pipeline, the IR, and what was left out.

    Nothing in these lines comes from a user but names that the IR restricts to [a-z0-9_].
    """
    lines = [first, "", f"Pipeline: {pipeline}", f"IR: {ir_digest}"]
    names = ", ".join(waived)
    return tuple(SourceText(line) for line in (*lines, *([f"Waived: {names}"] if names else [])))
