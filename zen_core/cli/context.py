"""What every command gets: the project it works in, and the options that all commands share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zen_core.contract.settings import Settings

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""`--json`, the same for each command that reads."""


@dataclass(frozen=True, slots=True)
class CliContext:
    """The global options, as `@click.pass_obj` hands them to a command.

    Attributes:
        stack: the stack named by `--stack`, or "".
    """

    stack: str = ""

    def settings(self) -> Settings:
        """The settings of the project that the current folder belongs to. Raises ConfigError."""
        from zen_core.contract.settings import find_root, load_settings

        return load_settings(find_root(Path.cwd()), stack=self.stack)

    def local_settings(self) -> Settings:
        """The same, with every store that is not set in `.zen/`.

        For commands that run or read on this machine.
        """
        return self.settings().with_local_defaults()


def complete_stack(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The stacks of zen.toml, for completion in the shell; what that needs is imported when it is asked for."""
    from zen_core.cli.completion import complete_stacks

    return complete_stacks(context, parameter, incomplete)


def _choose_stack(context: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name:
        context.obj = replace(context.obj, stack=name)


stack_option = click.option(
    "--stack",
    metavar="NAME",
    expose_value=False,
    callback=_choose_stack,
    shell_complete=complete_stack,
    help="The stack of zen.toml to use.",
)
"""`--stack` behind the command's name, for those that are about a stack; `zen --stack` holds for every command."""
