"""The commands that read what was recorded, registered by the entry points `zen.commands`."""

from zen_metadata.cli.artifact_commands import artifacts, lineage
from zen_metadata.cli.cache_commands import cache
from zen_metadata.cli.deploy_command import deploy
from zen_metadata.cli.diff_command import diff
from zen_metadata.cli.doctor_command import doctor
from zen_metadata.cli.env_commands import env
from zen_metadata.cli.forget_command import forget
from zen_metadata.cli.gc_command import gc
from zen_metadata.cli.plan_command import plan
from zen_metadata.cli.push_command import push
from zen_metadata.cli.reproduce_command import reproduce
from zen_metadata.cli.rollback_command import rollback
from zen_metadata.cli.run_commands import logs, runs, show
from zen_metadata.cli.store_commands import store
from zen_metadata.cli.sync_command import sync
from zen_metadata.cli.why_command import why

__all__ = [
    "artifacts",
    "cache",
    "deploy",
    "diff",
    "doctor",
    "env",
    "forget",
    "gc",
    "lineage",
    "logs",
    "plan",
    "push",
    "reproduce",
    "rollback",
    "runs",
    "show",
    "store",
    "sync",
    "why",
]
