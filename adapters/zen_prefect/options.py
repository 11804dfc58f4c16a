"""`[adapters.prefect]` in zen.toml: what only Prefect has. Every setting takes effect in the emitted files."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from zen_core.adapter.options import AdapterOptions

BlockName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=255)]
"""What Prefect allows as the name of a block: lower-case letters, digits and dashes."""
CONTAINER_POOLS = frozenset(
    {"docker", "kubernetes", "ecs", "cloud-run", "cloud-run-v2", "vertex-ai", "azure-container-instance"}
)
"""The types of work pools whose jobs have an image; each of Prefect's serverless ones ends in `:push`."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_?KEY|CREDENTIAL", re.IGNORECASE)


class PrefectStepOptions(BaseModel):
    """`[adapters.prefect.steps.PIPELINE.STEP]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: tuple[str, ...] = ()
    """Further tags of the task: Prefect limits how many tasks of a tag run at once."""


class PrefectOptions(AdapterOptions):
    """`[adapters.prefect]`."""

    deployment_name: str = Field(default="zen", min_length=1, pattern=r"^[^/%&><{}]+$")
    """The deployment's name: Prefect shows it as `FLOW/NAME`."""
    work_pool: str | None = Field(default=None, min_length=1)
    """The work pool whose workers run the flow."""
    work_pool_type: str | None = Field(default=None, min_length=1)
    """What the work pool runs flows in, such as `process`, `docker` or `kubernetes` (`prefect work-pool ls`). Needs
    `work_pool`. One that runs containers takes the image that a pipeline asks for."""
    work_queue: str | None = Field(default=None, min_length=1)
    """The queue of the work pool. Needs `work_pool`."""
    job_variables: dict[str, JsonValue] = Field(default_factory=dict)
    """What the work pool's job template takes. Needs `work_pool`. Written to a file: no secrets in it."""
    pull: tuple[dict[str, JsonValue], ...] = ()
    """Prefect's pull steps, as in prefect.yaml. Without them a worker reads the folder that was deployed from."""
    flows_folder: str | None = Field(default=None, min_length=1)
    """The folder that `zen deploy` writes to and that the workers read; relative to the project."""
    max_workers: int = Field(default=8, ge=1)
    """How many steps of one run may be going on at once."""
    flow_retries: int = Field(default=0, ge=0)
    """How often Prefect starts a failed flow run again. Steps that completed are not done again."""
    flow_retry_delay_seconds: float = Field(default=0, ge=0)
    """How long Prefect waits before that."""
    credentials: dict[str, BlockName] = Field(default_factory=dict)
    """Environment variable -> name of the Prefect Secret block that holds its value, such as
    `ZEN_LINEAGE_URL = "zen-lineage-url"`."""
    steps: dict[str, dict[str, PrefectStepOptions]] = Field(default_factory=dict)
    """Options of single steps, by pipeline and step."""

    @property
    def takes_image(self) -> bool:
        """Whether the work pool runs a flow in an image of its choice."""
        return (self.work_pool_type or "").removesuffix(":push") in CONTAINER_POOLS

    @model_validator(mode="after")
    def _refuse_without_effect(self) -> Self:
        if self.work_pool is None:
            for name in ("work_pool_type", "work_queue", "job_variables"):
                if getattr(self, name):
                    raise ValueError(f"`{name}` has an effect with `work_pool` only")
        if self.flow_retry_delay_seconds and not self.flow_retries:
            raise ValueError("`flow_retry_delay_seconds` has an effect with `flow_retries` only")
        return self

    @model_validator(mode="after")
    def _refuse_secrets(self) -> Self:
        for name in self.credentials:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"`credentials` names environment variables, and {name!r} is none")
        if "prefect.blocks" in str(self.job_variables):
            raise ValueError(
                "`prefect deploy` would write the content of the block in `job_variables` into the deployment: "
                "name the Secret block in [adapters.prefect.credentials]"
            )
        environment = self.job_variables.get("env")
        for name, value in environment.items() if isinstance(environment, dict) else ():
            if isinstance(value, str) and (_SECRET.search(name) or _holds_password(value)):
                raise ValueError(
                    f"`job_variables` would write the secret {name} into prefect.yaml: put it into a Secret block, "
                    "and name that in [adapters.prefect.credentials]"
                )
        return self


def _holds_password(value: str) -> bool:
    try:
        return "://" in value and urlsplit(value).password is not None
    except ValueError:
        return False
