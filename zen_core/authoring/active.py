"""Which pipeline is being built. A module of its own, so that calling a step as a plain function imports no more."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zen_core.authoring.tracing import Trace

active_trace: ContextVar[Trace | None] = ContextVar("zen_active_trace", default=None)
"""The pipeline that is being built in this thread or task."""
