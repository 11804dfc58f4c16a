"""`[adapters.airflow]` in zen.toml: what only Airflow has. Every setting takes effect in the emitted file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from zen_core.adapter.options import AdapterOptions

CredentialName = Annotated[str, StringConstraints(pattern=r"^(connection|variable):[A-Za-z0-9_.-]+$", max_length=200)]
"""Where Airflow keeps a value: `connection:ID` or `variable:KEY`."""


class AirflowStepOptions(BaseModel):
    """`[adapters.airflow.steps.PIPELINE.STEP]`: where and with which weight one step is queued."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: str | None = None
    """The pool whose slots the step takes."""
    pool_slots: int | None = Field(default=None, ge=1)
    """How many slots of its pool the step takes."""
    queue: str | None = None
    """The Celery queue of the step. Needs `executor = "celery"`."""
    priority_weight: int | None = None
    """Which of the waiting tasks goes first: the one with the higher weight."""


class AirflowOptions(AdapterOptions):
    """`[adapters.airflow]`."""

    executor: Literal["local", "celery", "kubernetes"] = "local"
    """What runs the tasks. Only Kubernetes gives a step the CPU, memory and GPUs that it asks for."""
    owner: str | None = None
    """The owner of all tasks, as Airflow shows it."""
    pool: str | None = None
    """The pool of all tasks that have none of their own."""
    queue: str | None = None
    """The Celery queue of all tasks that have none of their own. Needs `executor = "celery"`."""
    gpu_type_label: str | None = None
    """The node label that holds the GPU type, such as `cloud.google.com/gke-accelerator`. Needs Kubernetes."""
    dags_folder: str | None = Field(default=None, min_length=1)
    """The DAGs folder that `zen deploy` writes to; relative to the project."""
    credentials: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")], CredentialName] = Field(
        default_factory=dict
    )
    """Environment variable -> `connection:ID` or `variable:KEY` of Airflow's that holds its value, such as
    `ZEN_LINEAGE_URL = "connection:zen_lineage"`."""
    steps: dict[str, dict[str, AirflowStepOptions]] = Field(default_factory=dict)
    """Options of single steps, by pipeline and step."""

    @model_validator(mode="after")
    def _refuse_without_effect(self) -> Self:
        queued = self.queue or any(step.queue for steps in self.steps.values() for step in steps.values())
        if queued and self.executor != "celery":
            raise ValueError('`queue` has an effect with `executor = "celery"` only')
        if self.gpu_type_label and self.executor != "kubernetes":
            raise ValueError('`gpu_type_label` has an effect with `executor = "kubernetes"` only')
        return self
