"""Opens the read side for a command."""

from __future__ import annotations

from contextlib import closing

import click

from zen_core.cli.context import CliContext
from zen_metadata.query.client import Client
from zen_metadata.query.stores import ReadStores


def open_client(context: CliContext) -> Client:
    """A client of the current project; its connections are closed when the command ends."""
    return click.get_current_context().with_resource(Client(context.settings()))


def open_stores(context: CliContext) -> ReadStores:
    """The stores of the current project; their connections are closed when the command ends."""
    return click.get_current_context().with_resource(closing(ReadStores(context.local_settings())))
