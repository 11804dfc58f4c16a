"""How a command ends when it fails: the diagnostics on stderr, as text or JSON, and the exit code."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from zen_core import __version__
from zen_core.diagnostics import Diagnostic, render_all
from zen_core.errors import InternalError, UsageError, ZenError

INTERRUPTED = 130
_VALUES_SHOWN = 10


def exit_code_of(error: BaseException) -> int:
    """What the process answers with."""
    if isinstance(error, ZenError):
        return error.exit_code
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return UsageError.exit_code
    return InternalError.exit_code


def report_failure(error: BaseException, *, as_json: bool) -> None:
    """Write what went wrong to stderr; with ZEN_DEBUG set, the traceback before it."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    if os.environ.get("ZEN_DEBUG") and not isinstance(error, click.ClickException):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, click.Abort):
        click.echo("interrupted", err=True)
        return
    diagnostics = _diagnostics_of(error)
    click.echo(json.dumps(error_document(diagnostics)) if as_json else error_text(diagnostics), err=True)


def error_document(diagnostics: Sequence[Diagnostic]) -> dict[str, object]:
    """The JSON form of an error.

    Several problems are listed under `problems`, after the first one's own fields.
    """
    document = diagnostics[0].to_json()
    if len(diagnostics) > 1:
        document["problems"] = [diagnostic.to_json() for diagnostic in diagnostics]
    return document


def error_text(diagnostics: Sequence[Diagnostic]) -> str:
    """The problems as text, and the commands that tell more."""
    codes = dict.fromkeys(diagnostic.code for diagnostic in diagnostics)
    return "\n".join([render_all(diagnostics), *(f"more: zen explain {code}" for code in codes)])


def _diagnostics_of(error: BaseException) -> Sequence[Diagnostic]:
    if isinstance(error, ZenError):
        return error.diagnostics
    if isinstance(error, click.ClickException):
        return [_usage_diagnostic(error)]
    return [_bug_diagnostic(error)]


def _usage_diagnostic(error: click.ClickException) -> Diagnostic:
    context = getattr(error, "ctx", None)
    help_line = f"'{context.command_path} --help' says how it is used" if context else ""
    possible = getattr(error, "possibilities", None)
    hint = f"did you mean {possible[0]}?" if possible else help_line
    if context and isinstance(error, click.MissingParameter) and error.param:
        hint = _possible_values(context, error.param) or help_line
    # Without the possibilities, which click would repeat in the message.
    message = error.message if possible else error.format_message()
    return Diagnostic(UsageError.code, message.rstrip("."), hint=hint)


def _possible_values(context: click.Context, parameter: click.Parameter) -> str:
    """What could stand for a parameter that is missing: what the shell would be offered for it, or ""."""
    try:
        values = [item.value for item in parameter.shell_complete(context, "") if item.type == "plain"]
    except (ZenError, OSError):
        return ""  # wrong settings are another command's trouble
    if parameter.name == "pipeline" and not values:
        return _projects_below() or "there is no pipeline in this folder; 'zen init FOLDER' writes a project with one"
    if parameter.name == "pipeline" and len(values) == 1:
        return f"{context.command_path} {values[0]}"
    return f"one of: {', '.join(map(str, values[:_VALUES_SHOWN]))}" if values else ""


def _projects_below() -> str:
    """How to run the pipelines of the projects that lie in this folder: often `cd` was forgotten."""
    from zen_core.authoring.scanning import find_pipelines

    projects = [path.parent for path in sorted(Path().glob("*/zen.toml"))[:_VALUES_SHOWN]]
    return "\n".join(
        f"zen -C {project} run {found.file.as_posix()}:{found.name}"
        for project in projects
        for found in find_pipelines(project)
    )


def _bug_diagnostic(error: BaseException) -> Diagnostic:
    return Diagnostic(
        InternalError.code,
        f"a bug in Zen: {type(error).__name__}: {error}",
        where=_last_own_frame(error),
        hint=(
            f"report it to the authors of zen-core {__version__}, with the traceback that the same command shows "
            "with ZEN_DEBUG=1"
        ),
    )


def _last_own_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if any(part.startswith("zen_") for part in Path(frame.filename).parts)]
    return "".join(f"{frame.filename}:{frame.lineno}" for frame in (own or list(frames))[-1:])
