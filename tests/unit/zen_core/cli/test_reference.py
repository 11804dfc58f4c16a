"""The help page and the reference page say what the commands say."""

from pathlib import Path

import click

from zen_core.cli.main import SECTIONS, zen
from zen_core.cli.reference import reference_text

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "cli.md"


def test_the_help_page_says_what_each_command_says():
    context = click.Context(zen)
    for lines in SECTIONS.values():
        for name, text in lines.items():
            assert zen.get_command(context, name).help.splitlines()[0] == text, name


def test_every_installed_command_has_a_section():
    assert set(zen.list_commands(click.Context(zen))) == {name for lines in SECTIONS.values() for name in lines}


def test_the_reference_page_is_up_to_date():
    written = PAGE.read_text(encoding="utf-8")
    assert written == reference_text(), "run: python -m zen_core.cli.reference > docs/reference/cli.md"
