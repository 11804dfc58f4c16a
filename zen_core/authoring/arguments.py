"""The arguments of a step call: which parameter each one is for, and whether its type fits."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zen_core.authoring import problems
from zen_core.authoring.annotations import accepts_anything, is_union, type_text, without_metadata
from zen_core.authoring.assignability import element_type, is_assignable, value_fits
from zen_core.authoring.handles import Handle, StepOutputs
from zen_core.authoring.references import Artifact, Secret
from zen_core.authoring.signatures import REQUIRED, Signature
from zen_core.contract.files import File
from zen_core.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A part of an argument whose type does not fit: where in it, what is declared, what it is, and what to do."""

    path: str
    expected: str
    given: str
    hint: str


def bind_arguments(
    signature: Signature, subject: str, place: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The arguments by parameter name, and everything that is wrong with them, at once.

    Args:
        subject: what is called, for messages: `step 'train'`.
    """
    positional = signature.positional
    names = [port.name for port in signature.inputs]
    found: list[Diagnostic] = []
    if len(args) > len(positional):
        found.append(problems.too_many_arguments(place, subject, len(args), positional))
    arguments = dict(zip(positional, args, strict=False))
    for name, value in kwargs.items():
        if name in arguments:
            found.append(problems.repeated_argument(place, subject, name))
        elif name not in names:
            found.append(problems.unknown_argument(place, subject, name, names))
        else:
            arguments[name] = value
    missing = [port.name for port in signature.inputs if port.default is REQUIRED and port.name not in arguments]
    if missing:
        found.append(problems.missing_arguments(place, subject, missing))
    return arguments, found


def find_mismatch(value: Any, target: Any, roots: Sequence[Path]) -> Mismatch | None:
    """The first part of an argument (a handle, a constant, or a container of these) that does not fit."""
    return next(_find_mismatches(value, without_metadata(target), "", roots), None)


def type_mismatch(place: str, subject: str, port: str, mismatch: Mismatch) -> Diagnostic:
    """The problem of an argument with such a part."""
    return problems.type_mismatch(
        place,
        subject,
        port + mismatch.path,
        given=mismatch.given,
        expected=mismatch.expected,
        hint=mismatch.hint,
    )


def _find_mismatches(value: Any, target: Any, path: str, roots: Sequence[Path]) -> Iterator[Mismatch]:
    if isinstance(value, Handle):
        if not is_assignable(value.port.annotation, target):
            given = f"{value.subject}, which is {_text(value.port.annotation, roots)}"
            hint = _hint(value.port.annotation, target)
            hint = hint or "change one of the two annotations, or convert the value in a step between them"
            yield Mismatch(path, _text(target, roots), given, hint)
    elif isinstance(value, Secret):
        if not is_assignable(str, target):
            yield Mismatch(path, _text(target, roots), f"{value!r}, which is a text", "annotate the parameter str")
    elif isinstance(value, (Artifact, StepOutputs)):
        return  # what an artifact holds is known when it is found; a result of several outputs is told elsewhere
    elif not holds_reference(value):
        if not value_fits(value, target):
            given = f"{value!r:.60}, which is {_text(type(value), roots)}"
            hint = _hint(type(value), target) or "pass a value of that type, or change the annotation"
            yield Mismatch(path, _text(target, roots), given, hint)
    elif is_union(target):
        attempts = [
            list(_find_mismatches(value, without_metadata(member), path, roots)) for member in typing.get_args(target)
        ]
        if all(attempts):
            yield attempts[0][0]
    elif not accepts_anything(target):
        yield from _find_in_container(value, target, path, roots)


def _find_in_container(value: Any, target: Any, path: str, roots: Sequence[Path]) -> Iterator[Mismatch]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        try:
            declared = without_metadata(element_type(target, type(value), key, len(value)))
        except TypeError:
            given = f"a {type(value).__name__} of {len(value)} items"
            yield Mismatch(path, _text(target, roots), given, "change the annotation, or pass what it says")
            return
        yield from _find_mismatches(item, declared, f"{path}[{key!r}]", roots)


def holds_reference(value: Any) -> bool:
    """Whether a value is, or holds, something that stands for what only a run has."""
    if isinstance(value, dict):
        return any(map(holds_reference, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(holds_reference, value))
    return isinstance(value, (Handle, StepOutputs, Secret, Artifact))


def _hint(source: Any, target: Any) -> str:
    """What to do about a file that meets a type for something else, or the other way round; "" for any other."""
    source = without_metadata(source)
    if source is File:
        return "annotate the parameter File or pathlib.Path, and open it in the step"
    if target is File and source in (str, Path, type(Path())):
        return 'write File("…"): its content is then part of the cache key'
    if isinstance(source, type) and isinstance(target, type) and issubclass(source, os.PathLike) and target is str:
        return "annotate the parameter pathlib.Path"
    return ""


def _text(annotation: Any, roots: Sequence[Path]) -> str:
    return type_text(annotation, roots)
