"""Completion in the shell: `zen completion`, and what the shell asks for at each TAB.

A TAB must answer at once and never disturb what is being typed: no user code is imported, no server is asked, and an
error answers with nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, shell_complete, split_arg_string

from zen_core.cli.main import COMPLETION_VARIABLE

if TYPE_CHECKING:
    from zen_core.authoring.scanning import FoundPipeline

_SECONDS = 0.1
"""How long a project's files are read through at one TAB."""


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and names in a shell.

    For bash, write  eval "$(zen completion bash)"  in ~/.bashrc; for zsh,  eval "$(zen completion zsh)"  in ~/.zshrc;
    for fish,  zen completion fish | source  in ~/.config/fish/config.fish.
    """
    shell_complete(context.find_root().command, {}, "zen", COMPLETION_VARIABLE, f"{shell}_source")


def answer_shell(command: click.Command) -> NoReturn:
    """Answer what the shell asks in the environment, and leave the process. With ZEN_DEBUG set, errors are shown."""
    if os.environ.get("ZEN_DEBUG"):
        sys.exit(shell_complete(command, {}, "zen", COMPLETION_VARIABLE, os.environ[COMPLETION_VARIABLE]))
    with contextlib.suppress(Exception), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        sys.exit(shell_complete(command, {}, "zen", COMPLETION_VARIABLE, os.environ[COMPLETION_VARIABLE]))
    sys.exit(1)


class _Bash(BashComplete):
    """Bash takes `:` and `=` for the end of a word, and puts what is chosen in place of the last part alone."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        count = int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        open_end = False
        for word in [*words, ""][: count + 1]:
            if joined and (open_end or word in (":", "=")):
                joined[-1] += word
            else:
                joined.append(word)
            open_end = word in (":", "=")
        return joined[1:-1], joined[-1]

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        kept = incomplete.rpartition(":")[0]
        found = super().get_completions(args, incomplete)
        if kept:
            for item in found:
                item.value = str(item.value).removeprefix(f"{kept}:")
        return found


add_completion_class(_Bash)


def complete_commands(lines: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem[str]]:
    """The commands that begin so, with what they do; none of them is imported."""
    return [CompletionItem(name, help=text) for name, text in lines if name.startswith(incomplete)]


def complete_pipelines(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """References to the pipelines below the current folder, as they stand in its files; else files."""
    prefix = "./" if incomplete.startswith("./") else ""
    names = [f"{prefix}{found.file.as_posix()}:{found.name}" for found in _find_pipelines(context)]
    return _items(names, incomplete) or [CompletionItem(incomplete, type="file")]


def complete_steps(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The steps of the pipeline that was named before, as far as its file shows them."""
    from zen_core.authoring.scanning import pipelines_in, split_reference

    # While the option has no value yet, click leaves the arguments unread.
    reference = context.params.get("pipeline") or next(iter(context.args), "")
    target, name = split_reference(str(reference))
    found = [item for item in pipelines_in(completed_folder(context) / target) if name in ("", item.name)]
    return _items([step for item in found for step in item.steps], incomplete)


def complete_targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The names of adapters that are installed; none of them is imported."""
    from importlib.metadata import entry_points

    return _items(sorted(item.name for item in entry_points(group="zen.adapters")), incomplete)


def complete_compile_targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The same, with what `zen compile` also takes, and without the engine."""
    names = [item.value for item in complete_targets(context, parameter, "") if item.value != "local"]
    return _items([*names, "ir", "all"], incomplete)


def complete_stacks(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The stacks of zen.toml."""
    from zen_core.contract.settings import find_root, stack_names

    return _items(stack_names(find_root(completed_folder(context))), incomplete)


def completed_folder(context: click.Context) -> Path:
    """The folder that the command will work in: `-C`, else the current one."""
    return Path(context.find_root().params.get("project_dir") or ".")


def _items(names: Iterable[str], incomplete: str) -> list[Any]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _find_pipelines(context: click.Context) -> list[FoundPipeline]:
    from zen_core.authoring.scanning import find_pipelines

    return find_pipelines(completed_folder(context), seconds=_SECONDS)
