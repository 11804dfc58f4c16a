"""`zen doctor`: whether the stores and orchestrators of this project work from here, found out by using them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import is_terminal, print_json
from zen_core.errors import AdapterError, ConfigError, StoreError

if TYPE_CHECKING:
    from zen_core.adapter.protocol import Check

_MARKS = {"works": "green", "warning": "yellow", "broken": "bold red"}


@click.command()
@click.option("--for", "target", metavar="TARGET", help="Look at one adapter; default: those that zen.toml configures.")
@json_option
@click.pass_obj
def doctor(context: CliContext, target: str | None, as_json: bool) -> None:
    """Use each store and orchestrator once, and say what is wrong.

    Nothing is taken from the settings alone: each store is written to and read from, each orchestrator is asked.
    The exit code is 0 when all that is used works, 4 for a broken store, 3 for a broken orchestrator.
    """
    from zen_core.adapter.registry import load_adapter
    from zen_metadata.doctor import examine

    settings = context.local_settings()
    if target:
        load_adapter(target)
    checks = []
    for check in examine(settings, (target,) if target else tuple(sorted(settings.adapters))):
        checks.append(check)
        if not as_json:
            _print(check)
    if as_json:
        print_json([_document(check) for check in checks])
    sys.exit(_exit_code(checks))


def _print(check: Check) -> None:
    verdict = _verdict(check)
    mark = click.style(verdict, fg=_MARKS[verdict].split()[-1]) if is_terminal() else verdict
    click.echo(f"{mark:<8} {check.component}{f': {check.detail}' if check.detail else ''}")
    if check.problem is not None:
        text = check.problem.render()
        click.echo(text.replace("error ", "warning ", 1) if check.is_warning else text, err=True)


def _verdict(check: Check) -> str:
    if check.problem is None:
        return "works"
    return "warning" if check.is_warning else "broken"


def _document(check: Check) -> dict[str, Any]:
    return {
        "component": check.component,
        "verdict": _verdict(check),
        "detail": check.detail,
        "problem": check.problem.to_json() if check.problem else None,
    }


def _exit_code(checks: list[Check]) -> int:
    """That of the worst: a store that is broken stops more than an orchestrator."""
    codes = [check.problem.code for check in checks if check.problem is not None and not check.is_warning]
    if any(code.startswith(("ZEN-M", "ZEN-T", "ZEN-S")) for code in codes):
        return StoreError.exit_code
    if any(code.startswith("ZEN-A") for code in codes):
        return AdapterError.exit_code
    return ConfigError.exit_code if codes else 0
