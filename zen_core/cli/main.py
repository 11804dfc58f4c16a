"""The entry point `zen`: finds commands without importing them, and turns errors into text and exit codes.

Exit codes: 0 done, 1 the pipeline or its definition failed, 2 usage, 3 adapter, 4 store, 70 a bug in Zen, 130
interrupted. Nothing heavy is imported here: `zen --help` costs little more than Python itself.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, NoReturn

import click

from zen_core import __version__
from zen_core.cli.context import CliContext, complete_stack
from zen_core.cli.failures import exit_code_of, report_failure
from zen_core.errors import InternalError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMAND_GROUP = "zen.commands"
COMPLETION_VARIABLE = "_ZEN_COMPLETE"
"""What a shell sets when it asks for completions, as click has it."""
_OWN_COMMANDS = {
    "init": "zen_core.cli.init:init",
    "run": "zen_core.cli.run:run",
    "compile": "zen_core.cli.compile:compile_",
    "adapters": "zen_core.cli.adapters:adapters",
    "explain": "zen_core.cli.explain:explain",
    "completion": "zen_core.cli.completion:completion",
}
# The help page names every command without importing one, so its lines stand here. A command that is not in
# the table, of another distribution, is listed last, with the name of what it comes from.
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Pipelines": {
        "init": "Write a small project that runs.",
        "run": "Run a pipeline on this machine.",
        "plan": "What a run would do, and why.",
        "compile": "Write native code for an orchestrator.",
        "deploy": "Compile a pipeline and hand it over to its orchestrator.",
        "push": "Upload the code bundles of compiled pipelines.",
        "adapters": "Which orchestrators there are, and what each supports.",
    },
    "Runs and artifacts": {
        "runs": "List runs, newest first.",
        "show": "One run: its steps, inputs, outputs, and why it failed.",
        "logs": "What a step printed and logged.",
        "why": "Why a step ran, or why a result was reused.",
        "diff": "What differs between two runs.",
        "env": "What runs ran in: Python, packages, platform, git, GPUs.",
        "artifacts": "List artifacts and their versions, newest first.",
        "lineage": "Where an artifact comes from, and what was made of it.",
        "rollback": "Let a name stand for an earlier version of its artifact.",
        "reproduce": "Make a run again, and compare every artifact.",
    },
    "Stores": {
        "cache": "Look at the cache, or take entries out of use.",
        "gc": "Delete old versions, and the bytes that nothing refers to.",
        "forget": "Delete what an artifact holds, for good, and keep that it was there.",
        "sync": "Record what was kept back, and bring MLflow and OpenLineage up to date.",
        "store": "Look after the lineage store: check, upgrade, carry over, prune.",
        "doctor": "Use each store and orchestrator once, and say what is wrong.",
    },
    "Help": {
        "explain": "What an error's code means, and what to do about it.",
        "completion": "Print the script that completes commands and names in a shell.",
    },
}


class ZenGroup(click.Group):
    """The root command.

    Subcommands are imported when they are called; errors become text and an exit code.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        return sorted({*_OWN_COMMANDS, *(entry_point.name for entry_point in _foreign_commands())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command. Raises InternalError, naming the distribution, when that fails."""
        if cmd_name in _OWN_COMMANDS:
            module, _, name = _OWN_COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        for entry_point in _foreign_commands():
            if entry_point.name == cmd_name:
                return _load(entry_point)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            raise UsageError(
                f"there is no command {name!r}",
                hint=f"did you mean 'zen {close[0]}'?" if close else "'zen --help' lists all commands",
                code="ZEN-U101",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing them."""
        for title, lines in _sections().items():
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands and options that begin so, without importing a command."""
        from zen_core.cli.completion import complete_commands

        lines = [line for section in _sections().values() for line in section]
        return [*complete_commands(lines, incomplete), *click.Command.shell_complete(self, ctx, incomplete)]

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and leave the process with its exit code; errors go to stderr."""
        if os.environ.get(COMPLETION_VARIABLE):
            from zen_core.cli.completion import answer_shell

            answer_shell(self)
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(arguments, prog_name or "zen", complete_var, standalone_mode=False, **extra)
        except Exception as error:
            report_failure(error, as_json="--json" in arguments)
            sys.exit(exit_code_of(error))
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=ZenGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="PIPELINE is path/to/file.py:name or package.module:name. RUN is a run id, the beginning of one, or latest.",
)
@click.option(
    "--project-dir",
    "-C",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Work as if started in this folder.",
)
@click.option(
    "--stack", default="", metavar="NAME", shell_complete=complete_stack, help="The stack of zen.toml to use."
)
@click.version_option(__version__, message="zen %(version)s")
@click.pass_context
def zen(context: click.Context, project_dir: str | None, stack: str) -> None:
    """One pipeline in plain Python, compiled to the orchestrator you already have."""
    if project_dir is not None:
        context.with_resource(contextlib.chdir(project_dir))
    context.obj = CliContext(stack=stack)


def main() -> None:
    """The script `zen`."""
    zen.main(prog_name="zen")


def _sections() -> dict[str, list[tuple[str, str]]]:
    """The lines of the help page: each command that is installed, and what it does."""
    installed = {entry_point.name: entry_point for entry_point in _foreign_commands()}
    known = {name for lines in SECTIONS.values() for name in lines}
    sections = {
        title: [(name, text) for name, text in lines.items() if name in _OWN_COMMANDS or name in installed]
        for title, lines in SECTIONS.items()
    }
    sections["Further commands"] = [
        (name, f"From {_distribution(entry_point)}.") for name, entry_point in installed.items() if name not in known
    ]
    return sections


def _foreign_commands() -> Iterable[EntryPoint]:
    return sorted(entry_points(group=COMMAND_GROUP))


def _load(entry_point: EntryPoint) -> click.Command:
    try:
        command: click.Command = entry_point.load()
    except Exception as error:
        if os.environ.get("ZEN_DEBUG"):
            raise
        raise InternalError(
            f"the command {entry_point.name!r} cannot be loaded: {type(error).__name__}: {error}",
            where=f"{entry_point.value} in {_distribution(entry_point)}",
            hint=f"install {_distribution(entry_point)} again, or remove it; ZEN_DEBUG=1 shows the traceback",
        ) from error
    return command


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "an unknown distribution"
