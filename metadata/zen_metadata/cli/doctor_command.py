"""`zen doctor`: whether the stores and orchestrators of this project work from here, found out by using them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.completion import complete_targets
from zen_core.cli.context import CliContext, json_option, stack_option
from zen_core.cli.output import is_terminal, print_json, terminal
from zen_core.errors import AdapterError, ConfigError, StoreError

if TYPE_CHECKING:
    from zen_core.adapter.protocol import Check

_STYLES = {"works": "green", "warning": "yellow", "broken": "bold red"}


@click.command()
@click.option(
    "--for",
    "target",
    metavar="TARGET",
    shell_complete=complete_targets,
    help="Look at one adapter; default: those that zen.toml configures.",
)
@stack_option
@json_option
@click.pass_obj
def doctor(context: CliContext, target: str | None, as_json: bool) -> None:
    """Use each store and orchestrator once, and say what is wrong.

    Nothing is taken from the settings alone: each store is written to and read from, each orchestrator is asked.
    The exit code is 0 when all that is used works, 4 for a broken store, 3 for a broken orchestrator, 2 for settings.
    """
    from zen_core.adapter.registry import load_adapter

    if target:
        load_adapter(target)
    found = _examine(context, target)
    if as_json:
        checks = list(found)
        print_json([_document(check) for check in checks])
    else:
        checks = _show(found) if is_terminal() else [_print(check) for check in found]
    sys.exit(_exit_code(checks))


def _examine(context: CliContext, target: str | None) -> Iterator[Check]:
    from zen_core.adapter.protocol import Check
    from zen_metadata.doctor import examine
    from zen_metadata.installation import examine_installation

    yield from examine_installation()
    try:
        settings = context.settings()
    except ConfigError as error:
        yield from (Check("settings", problem.where, problem) for problem in error.diagnostics)
        return
    yield from examine(settings, (target,) if target else tuple(sorted(settings.adapters)))


def _print(check: Check) -> Check:
    click.echo(f"{_verdict(check):<8} {check.component}{f': {check.detail}' if check.detail else ''}")
    _print_problems([check])
    return check


def _show(found: Iterable[Check]) -> list[Check]:
    """A table that grows as the components answer; what is wrong with them stands below it."""
    from rich.console import Group
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    checks = []
    with Live(Group(table, Spinner("dots")), console=terminal()) as live:
        for check in found:
            checks.append(check)
            verdict = _verdict(check)
            table.add_row(Text(verdict, style=_STYLES[verdict]), Text(check.component), Text(check.detail))
        live.update(table)
    _print_problems(checks)
    return checks


def _print_problems(checks: Iterable[Check]) -> None:
    for check in checks:
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
