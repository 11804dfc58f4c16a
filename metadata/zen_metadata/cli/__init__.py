"""The commands that read what was recorded, registered by the entry points `zen.commands`."""

from zen_metadata.cli.artifacts import artifacts, lineage
from zen_metadata.cli.push import push
from zen_metadata.cli.runs import logs, runs, show
from zen_metadata.cli.stores import store, sync

__all__ = ["artifacts", "lineage", "logs", "push", "runs", "show", "store", "sync"]
