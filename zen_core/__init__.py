"""Zen: one pipeline in plain Python, compiled to the orchestrator you already have.

The public names are loaded on first use (PEP 562), so that `import zen_core` costs next to nothing and a task
that needs only the contract never imports pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zen_core.authoring.decorators import pipeline, step
    from zen_core.authoring.options import Cache, Resources, Retry, Schedule
    from zen_core.authoring.parameters import ScheduledTime
    from zen_core.client import Client
    from zen_core.contract.context import current, log_metric, log_params
    from zen_core.contract.files import File

_HOME_BY_NAME = {
    "Cache": "zen_core.authoring.options",
    "Client": "zen_core.client",
    "File": "zen_core.contract.files",
    "Resources": "zen_core.authoring.options",
    "Retry": "zen_core.authoring.options",
    "Schedule": "zen_core.authoring.options",
    "ScheduledTime": "zen_core.authoring.parameters",
    "current": "zen_core.contract.context",
    "log_metric": "zen_core.contract.context",
    "log_params": "zen_core.contract.context",
    "pipeline": "zen_core.authoring.decorators",
    "step": "zen_core.authoring.decorators",
}

__all__ = [
    "Cache",
    "Client",
    "File",
    "Resources",
    "Retry",
    "Schedule",
    "ScheduledTime",
    "__version__",
    "current",
    "log_metric",
    "log_params",
    "pipeline",
    "step",
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
