"""Parses code that is not being run.

Without Python's warnings: those are for who runs the code. Where they are errors (`python -W error`), code that runs,
from its bytecode, could not be parsed.
"""

from __future__ import annotations

import ast
import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LARGE_BLOCK = 16 << 20


def parse_source(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a module, from its text or the bytes of its file; None if this Python cannot parse it."""
    try:
        with _without_warnings():
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: it is nested too deep
        return None


def parse_expression(source: str) -> ast.expr | None:
    """The syntax tree of an expression, such as an annotation that is written as text; None for what is none.

    Raises:
        RecursionError: Python recurses too deep already where this is called.
    """
    try:
        with _without_warnings():
            return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return None


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def many_syntax_trees() -> Iterator[None]:
    """For reading many modules: keeps the collector, and the system's allocator, from work that is in vain."""
    # What parsing a module takes of the heap, glibc gives back to the system, and takes it again for the next one, page
    # by page: a tenth of the time. Not after a larger block was freed; this one is never touched.
    bytes(_LARGE_BLOCK)
    if not gc.isenabled():
        yield
        return
    gc.disable()  # the trees have no cycles, but many nodes: to look for cycles takes a fourth of the time
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # What is left counts as old from now on: else all of it is looked through at the next allocation.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
