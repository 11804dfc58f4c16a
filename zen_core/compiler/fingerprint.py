"""The identity of a step's code: a digest over everything in the project that the step reaches.

What a step reaches is read from the source. Only what a function closes over, and code whose source is not the
project's (a notebook's), is looked at as it stands in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.code.effects import ImportEffects
from zen_core.compiler.code.index_memo import IndexMemo
from zen_core.compiler.code.live import LiveCode, own_function
from zen_core.compiler.code.project import Project
from zen_core.compiler.code.walk import Walk
from zen_core.contract.defined_at import DEFINED_AT
from zen_core.contract.manifest import CodeFingerprint
from zen_core.contract.source_code import many_syntax_trees


def fingerprint_step(function: Callable[..., Any], *, roots: ImportRoots) -> CodeFingerprint:
    """The identity of a step's function.

    Scope `project`: its source, without the `@step` decorator and without its docstring, and all of the project that
    it reaches. Scope `bytecode`: a function whose source is not at hand.
    """
    return fingerprint_steps({"": function}, roots=roots)[""]


@many_syntax_trees()
def fingerprint_steps(
    functions: Mapping[str, Callable[..., Any]], *, roots: ImportRoots, memo: IndexMemo | None = None
) -> dict[str, CodeFingerprint]:
    """The identities of several steps' functions, each by its key, all of one state of the project.

    Args:
        memo: knows what was read of the modules before, in other processes.
    """
    effects = ImportEffects(Project(roots, memo))
    try:
        return {key: _fingerprint(function, effects) for key, function in functions.items()}
    finally:
        if memo is not None:
            memo.stop_reading_ahead()


def _fingerprint(function: Callable[..., Any], effects: ImportEffects) -> CodeFingerprint:
    own = own_function(effects.project, function)
    code = getattr(own, "__code__", None)
    home = effects.project.module_of(code.co_filename) if code is not None else None
    start = home.name if home is not None else ""
    effects.project.closure(start)  # all that may be read is known before anything is: some of it is read ahead
    walk = Walk(effects, start, loaded_at=getattr(own, DEFINED_AT, None))
    live = LiveCode(walk)
    live.add_step(own)
    return walk.finish(live.scope)
