"""Did you mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from zen_core.diagnostics import Diagnostic
from zen_core.errors import UsageError


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, or "" when none is near."""
    close = difflib.get_close_matches(word, list(known), n=3)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""


def refuse_unknown_steps(pipeline: str, named: Iterable[str], known: Iterable[str]) -> None:
    """Raise UsageError for the names that no step of the pipeline has, with the nearest that one has."""
    steps = list(known)
    problems = [
        Diagnostic(
            UsageError.code,
            f"pipeline {pipeline!r} has no step {name!r}",
            hint=did_you_mean(name, steps) or f"its steps: {', '.join(steps)}",
        )
        for name in dict.fromkeys(named)
        if name not in steps
    ]
    if problems:
        raise UsageError(diagnostics=problems)
