"""The commands that read what was recorded, registered by the entry points `zen.commands`."""

from zen_metadata.cli.artifact_commands import artifacts, lineage
from zen_metadata.cli.deploy_command import deploy
from zen_metadata.cli.doctor_command import doctor
from zen_metadata.cli.push_command import push
from zen_metadata.cli.run_commands import logs, runs, show
from zen_metadata.cli.store_commands import store, sync

__all__ = ["artifacts", "deploy", "doctor", "lineage", "logs", "push", "runs", "show", "store", "sync"]
