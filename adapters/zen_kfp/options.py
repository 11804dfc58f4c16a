"""`[adapters.kfp]` in zen.toml: what only KFP has. Each setting takes effect, in the emitted file or when deploying."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from zen_core.adapter.options import AdapterOptions

DEFAULT_IMAGE = "zen-steps:latest"
"""What the emitted file says where nobody said which image: one that was built on this machine, for local runs."""
UI_VARIABLE = "ZEN_KFP_URL"
"""The environment variable that tells a container where KFP's UI is."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]
SecretKey = Annotated[
    str, StringConstraints(pattern=r"^secret:[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$", max_length=512)
]
"""Where Kubernetes keeps a value: `secret:NAME/KEY`."""
LabelKey = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=317)
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$", max_length=63)]
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_?KEY|CREDENTIAL", re.IGNORECASE)


class KfpStepOptions(BaseModel):
    """`[adapters.kfp.steps.PIPELINE.STEP]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that the step's node must have, besides those of all steps."""


class KfpOptions(AdapterOptions):
    """`[adapters.kfp]`."""

    image: str | None = Field(default=None, min_length=1, pattern=r"^\S+$")
    """The container image of all steps that name none of their own. It holds Zen, and what the steps import."""
    host: str | None = Field(default=None, min_length=1)
    """The address of the KFP API that `zen deploy` uploads to; else what KF_PIPELINES_ENDPOINT says."""
    namespace: str | None = Field(default=None, min_length=1)
    """The namespace that pipelines and scheduled runs belong to, on a KFP of several users."""
    experiment: str = Field(default="Default", min_length=1)
    """The experiment of scheduled runs."""
    service_account: str | None = Field(default=None, min_length=1)
    """The Kubernetes service account of scheduled runs."""
    ui_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The address of KFP's UI, so that `zen show` can name the page of a run."""
    env: dict[VariableName, str] = Field(default_factory=dict)
    """Environment variables of all containers. Written into the emitted file: no secrets in it."""
    credentials: dict[VariableName, SecretKey] = Field(default_factory=dict)
    """Environment variable -> `secret:NAME/KEY` of the Kubernetes Secret that holds its value, such as
    `ZEN_LINEAGE_URL = "secret:zen/lineage-url"`."""
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that the nodes of all steps must have."""
    gpu_resource: str = Field(default="nvidia.com/gpu", min_length=1)
    """What Kubernetes calls a GPU."""
    gpu_type_label: LabelKey | None = None
    """The node label that holds the GPU type, such as `cloud.google.com/gke-accelerator`."""
    steps: dict[str, dict[str, KfpStepOptions]] = Field(default_factory=dict)
    """Options of single steps, by pipeline and step."""

    @property
    def variables(self) -> Mapping[str, str]:
        """All environment variables that containers are given, whatever holds their values."""
        return {**self.env, **self.credentials}

    @model_validator(mode="after")
    def _refuse_secrets(self) -> Self:
        for name, value in self.env.items():
            if _SECRET.search(name) or _holds_password(value):
                raise ValueError(
                    f"`env` would write the secret {name} into the emitted file: keep it in a Kubernetes "
                    "Secret, and name that in [adapters.kfp.credentials]"
                )
            if name in self.credentials:
                raise ValueError(f"{name} stands in `env` and in `credentials`")
        return self


def _holds_password(value: str) -> bool:
    try:
        return "://" in value and urlsplit(value).password is not None
    except ValueError:
        return False
