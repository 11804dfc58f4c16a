"""The guarded Jinja environment: what is not source text does not get into an emitted file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.codegen.literals import SourceText
from zen_core.errors import InternalError

if TYPE_CHECKING:
    from jinja2 import Environment


def render_template(folder: Path, name: str, **values: Any) -> str:
    """The text of a template of an adapter.

    Raises:
        InternalError: the template writes something that is not a SourceText, or uses a name that it was not given.
    """
    from jinja2 import TemplateError

    try:
        return _environment(folder).get_template(name).render(values)
    except TemplateError as error:
        raise InternalError(f"the template {name} cannot be rendered: {error}") from error


@cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        finalize=_only_source,
        autoescape=False,  # the output is Python, and `finalize` lets only source text through
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _only_source(value: object) -> object:
    if isinstance(value, SourceText):
        return value
    raise InternalError(f"a template was to write {value!r:.80}, which is no source text")
