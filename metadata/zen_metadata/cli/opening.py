"""Opens the read side for a command."""

from __future__ import annotations

import click

from zen_core.cli.context import CliContext
from zen_metadata.query.client import Client


def open_client(context: CliContext) -> Client:
    """A client of the current project; its connections are closed when the command ends."""
    return click.get_current_context().with_resource(Client(context.settings()))
