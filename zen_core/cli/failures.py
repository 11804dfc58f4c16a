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
    click.echo(json.dumps(error_document(diagnostics)) if as_json else render_all(diagnostics), err=True)


def error_document(diagnostics: Sequence[Diagnostic]) -> dict[str, object]:
    """The JSON form of an error.

    Several problems are listed under `problems`, after the first one's own fields.
    """
    document = diagnostics[0].to_json()
    if len(diagnostics) > 1:
        document["problems"] = [diagnostic.to_json() for diagnostic in diagnostics]
    return document


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
    # Without the possibilities, which click would repeat in the message.
    message = error.message if possible else error.format_message()
    return Diagnostic(UsageError.code, message.rstrip("."), hint=hint)


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
