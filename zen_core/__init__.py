"""Zen: one pipeline in plain Python, compiled to the orchestrator you already have.

The public names are loaded on first use (PEP 562), so that `import zen_core` costs next to nothing and a task
that needs only the contract never imports pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zen_core.authoring.conditions import broadcast, either, when
    from zen_core.authoring.decorators import pipeline, step
    from zen_core.authoring.options import Cache, Environment, Resources, Retry, Schedule
    from zen_core.authoring.parameters import ScheduledTime
    from zen_core.authoring.references import Artifact, Secret
    from zen_core.client import Client
    from zen_core.contract.context import current, log_metric, log_params
    from zen_core.contract.files import File

_HOME_BY_NAME = {
    "Artifact": "zen_core.authoring.references",
    "Cache": "zen_core.authoring.options",
    "Client": "zen_core.client",
    "Environment": "zen_core.authoring.options",
    "File": "zen_core.contract.files",
    "Resources": "zen_core.authoring.options",
    "Retry": "zen_core.authoring.options",
    "Schedule": "zen_core.authoring.options",
    "ScheduledTime": "zen_core.authoring.parameters",
    "Secret": "zen_core.authoring.references",
    "broadcast": "zen_core.authoring.conditions",
    "current": "zen_core.contract.context",
    "either": "zen_core.authoring.conditions",
    "log_metric": "zen_core.contract.context",
    "log_params": "zen_core.contract.context",
    "pipeline": "zen_core.authoring.decorators",
    "step": "zen_core.authoring.decorators",
    "when": "zen_core.authoring.conditions",
}

__all__ = [
    "Artifact",
    "Cache",
    "Client",
    "Environment",
    "File",
    "Resources",
    "Retry",
    "Schedule",
    "ScheduledTime",
    "Secret",
    "__version__",
    "broadcast",
    "current",
    "either",
    "log_metric",
    "log_params",
    "pipeline",
    "step",
    "when",
]


def __getattr__(name: str) -> Any:
    home = _HOME_BY_NAME.get(name)
    if home is None:
        raise AttributeError(f"module 'zen_core' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
