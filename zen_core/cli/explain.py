"""`zen explain`: what the code of an error means, with an example and the way out.

The pages are Markdown files in `zen_core/error_pages`, one for each code; docs/reference/errors.md lists them.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from zen_core.cli.context import json_option
from zen_core.cli.output import is_terminal, print_json, terminal
from zen_core.errors import UsageError

PAGES = Path(__file__).parent.parent / "error_pages"


def _complete_codes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    short = incomplete[:1].upper() not in ("", "Z")
    codes = [code.removeprefix("ZEN-") if short else code for code in known_codes()]
    return [CompletionItem(code) for code in codes if code.startswith(incomplete.upper())]


@click.command()
@click.argument("code", shell_complete=_complete_codes)
@json_option
def explain(code: str, as_json: bool) -> None:
    """What an error's code means, and what to do about it.

    CODE is what an error begins with, such as ZEN-U201; U201 is enough.
    """
    text = explanation(code)
    if as_json:
        title = text.partition("\n")[0].removeprefix("# ")
        print_json({"code": title.partition(": ")[0], "title": title.partition(": ")[2], "text": text})
    elif is_terminal():
        from rich.markdown import Markdown

        terminal().print(Markdown(text))
    else:
        click.echo(text, nl=False)


def known_codes() -> list[str]:
    """Every code that has a page, sorted."""
    return sorted(path.stem for path in PAGES.glob("ZEN-*.md"))


def explanation(code: str) -> str:
    """The page of a code, as Markdown, without what only its tests read.

    Raises:
        UsageError: there is no such code; names the nearest.
    """
    wanted = code.strip().upper()
    wanted = wanted if wanted.startswith("ZEN-") else f"ZEN-{wanted}"
    codes = known_codes()
    if wanted not in codes:
        close = difflib.get_close_matches(wanted, codes, n=1)
        hint = f"did you mean {close[0]}?" if close else "an error begins with its code, such as ZEN-U201"
        raise UsageError(f"there is no error with the code {code!r}", hint=hint, code="ZEN-U105")
    return _shown(PAGES.joinpath(f"{wanted}.md").read_text(encoding="utf-8"))


def _shown(text: str) -> str:
    """A page's text without its comments, and with links as plain words: there is nothing to click on."""
    plain = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", plain)
