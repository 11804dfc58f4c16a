"""Who a run is, and who a step run is: the same for all tasks of one run, on every orchestrator."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

_RUN_NAMESPACE = uuid.UUID("6d1f4a0e-3f0c-5f0b-9d7e-2f5c6b1a9e40")


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What makes a run: `run_key` is the orchestrator's own name of the run, unique within the deployment.

    `deployment` names one installation of an orchestrator, so that two Airflows that share a store never collide.
    """

    project: str
    deployment: str
    pipeline: str
    run_key: str

    @property
    def run_id(self) -> str:
        """UUIDv5 over all four parts."""
        parts = (self.project, self.deployment, self.pipeline, self.run_key)
        return str(uuid.uuid5(_RUN_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))


def step_run_id(run_id: str, step: str, map_index: int | None = None) -> str:
    """The id of a step run: stable over retries, distinct between mapped elements."""
    return str(uuid.uuid5(uuid.UUID(run_id), f"{step}[{'' if map_index is None else map_index}]"))


def artifact_id(attempt_id: str, output: str) -> str:
    """The id of the artifact that one attempt stores as one output: known without asking the store."""
    return str(uuid.uuid5(uuid.UUID(attempt_id), output))
