"""The reference page of the command line, written from the commands themselves: `python -m zen_core.cli.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from zen_core.cli.main import SECTIONS, zen

_PREFACE = """\
# Command line

`zen COMMAND --help` shows what this page says. Each command that reads has `--json`; later versions add keys and
change none.

PIPELINE is `path/to/file.py:name` or `package.module:name`. RUN is a run id, the beginning of one that is unique, or
`latest`.

Errors go to the standard error: a code, what is wrong, where, why, and what to do; `zen explain CODE` tells more.
With `--json` they are `{code, message, where, why, hint, context}`, several problems at once under `problems`. Tables
have colours on a terminal only, and never with `NO_COLOR` set.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the pipeline or its definition failed |
| 2 | usage: the command, its arguments or a setting is wrong, or nothing has this name |
| 3 | an adapter is missing or cannot be loaded |
| 4 | a store cannot be reached or refuses |
| 70 | a bug in Zen; `ZEN_DEBUG=1` shows the traceback |
| 130 | interrupted |
"""


def reference_text() -> str:
    """The page as Markdown, the same on each machine and with each version of click."""
    context = click.Context(zen, info_name="zen")
    parts = [_PREFACE, *_command_parts(zen, "zen", "##")]
    for title, lines in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in lines:
            command = zen.get_command(context, name)
            assert command is not None, f"{name} is in the help page and not installed"
            parts += _command_parts(command, f"zen {name}", "###")
    return "\n".join(parts)


def _command_parts(command: click.Command, path: str, heading: str) -> Iterator[str]:
    yield f"{heading} {path}\n\n{inspect.cleandoc(command.help or '')}\n"
    arguments = [_argument(parameter) for parameter in command.params if isinstance(parameter, click.Argument)]
    command_word = ["COMMAND"] if isinstance(command, click.Group) else []
    yield f"```\n{' '.join([path, '[OPTIONS]', *command_word, *arguments])}\n```\n"
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    if options:
        rows = [f"| `{_spelling(option)}` | {_meaning(option)} |" for option in options]
        yield "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"
    if isinstance(command, click.Group) and command is not zen:
        for name, child in sorted(command.commands.items()):
            yield from _command_parts(child, f"{path} {name}", f"#{heading}")


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _spelling(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if isinstance(option.type, click.Choice):
        return f"{names} {' or '.join(option.type.choices)}"
    return names if option.is_flag else f"{names} {option.metavar or 'N'}"


def _meaning(option: click.Option) -> str:
    facts = ["required"] if option.required else []
    facts += [f"default: {option.default}"] if option.show_default else []
    return f"{option.help}{f' ({facts[0]})' if facts else ''}"


if __name__ == "__main__":
    print(reference_text(), end="")
