"""`[adapters.kfp]` in zen.toml: what only Kubeflow Pipelines has."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from zen_core.adapter.options import AdapterOptions

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]
"""The name of an environment variable."""
SecretKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$", max_length=500)
]
"""`SECRET/KEY`: a Kubernetes secret of the namespace, and the key in it."""
KubernetesName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
Label = Annotated[str, StringConstraints(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_?KEY|CREDENTIAL", re.IGNORECASE)


class KfpStepOptions(BaseModel):
    """`[adapters.kfp.steps.PIPELINE.STEP]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_selector: dict[Label, str] = Field(default_factory=dict)
    """Labels that a node must have to run the step, beside those of all steps."""


class KfpOptions(AdapterOptions):
    """`[adapters.kfp]`."""

    image: str | None = Field(default=None, min_length=1)
    """The container image of all steps that name none of their own; without it `ZEN_KFP_IMAGE`, read when the emitted
    module is compiled."""
    env: dict[Variable, str] = Field(default_factory=dict)
    """Environment variables of all tasks. Written to a file: no secrets in it."""
    credentials: dict[Variable, SecretKey] = Field(default_factory=dict)
    """Environment variable -> `SECRET/KEY` of Kubernetes that holds its value, such as
    `ZEN_LINEAGE_URL = "zen-stores/lineage-url"`."""
    node_selector: dict[Label, str] = Field(default_factory=dict)
    """Labels that a node must have to run any step."""
    image_pull_secrets: tuple[KubernetesName, ...] = ()
    """Kubernetes secrets to pull images with."""
    gpu_resource: str = Field(default="nvidia.com/gpu", min_length=1)
    """The name under which the cluster counts GPUs."""
    gpu_type_label: Label | None = None
    """The node label that holds the GPU type, such as `cloud.google.com/gke-accelerator`."""
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """The address of the KFP API that `zen deploy` uploads to, and of the UI that runs are shown on."""
    namespace: str | None = None
    """The namespace of a KFP installation for several users."""
    experiment: str = Field(default="zen", min_length=1)
    """The experiment that scheduled runs belong to; made where it is missing."""
    service_account: KubernetesName | None = None
    """The Kubernetes service account of scheduled runs."""
    steps: dict[str, dict[str, KfpStepOptions]] = Field(default_factory=dict)
    """Options of single steps, by pipeline and step."""

    @model_validator(mode="after")
    def _refuse_secrets(self) -> Self:
        for name, value in self.env.items():
            if _SECRET.search(name) or _holds_password(value):
                raise ValueError(
                    f"`env` would write the secret {name} into the emitted file: put it into a Kubernetes secret, and "
                    "name that in [adapters.kfp.credentials]"
                )
        if both := sorted(set(self.env) & set(self.credentials)):
            raise ValueError(f"`env` and `credentials` both say the value of {', '.join(both)}")
        if self.endpoint and _holds_password(self.endpoint):
            raise ValueError("`endpoint` holds a password: the file is committed and travels with the code")
        return self


def _holds_password(value: str) -> bool:
    try:
        return "://" in value and urlsplit(value).password is not None
    except ValueError:
        return False
