"""`[adapters.dagster]` in zen.toml: what only Dagster has. Every setting takes effect in what is emitted."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from zen_core.adapter.options import AdapterOptions

Pool = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/-]+$", max_length=100)]


class DagsterStepOptions(BaseModel):
    """`[adapters.dagster.steps.PIPELINE.STEP]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: Pool | None = None
    """Dagster's concurrency pool of the op."""


class DagsterOptions(AdapterOptions):
    """`[adapters.dagster]`."""

    executor: Literal["local", "kubernetes"] = "local"
    """What runs the ops: processes of the run's own machine, or a pod for each (`k8s_job_executor`)."""
    gpu_type_label: str | None = Field(default=None, min_length=1)
    """The node label that holds the GPU type. Needs `executor = "kubernetes"`."""
    queue_limited: bool = False
    """Whether the instance's run queue runs one run of a value of the tag `zen/pipeline` at a time."""
    defs_folder: str | None = Field(default=None, min_length=1)
    """The folder that `zen deploy` writes to: the `defs/` of a Dagster project; relative to the project."""
    webserver: str | None = Field(default=None, min_length=1, pattern=r"^https?://[^@\s]+$")
    """The address of Dagster's webserver: `zen deploy` has it load the code location again."""
    code_location: str | None = Field(default=None, min_length=1)
    """The code location that `defs_folder` belongs to. Needs `webserver`."""
    steps: dict[str, dict[str, DagsterStepOptions]] = Field(default_factory=dict)
    """Options of single steps, by pipeline and step."""

    @model_validator(mode="after")
    def _refuse_without_effect(self) -> Self:
        if self.gpu_type_label and self.executor != "kubernetes":
            raise ValueError('`gpu_type_label` has an effect with `executor = "kubernetes"` only')
        if bool(self.webserver) is not bool(self.code_location):
            raise ValueError("`webserver` and `code_location` have an effect together only")
        return self
