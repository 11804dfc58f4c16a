"""Zen's adapter for Dagster. Exports DagsterAdapter, loaded on first use: an op imports only `runtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_dagster.adapter import DagsterAdapter

__all__ = ["DagsterAdapter"]


def __getattr__(name: str) -> Any:
    if name == "DagsterAdapter":
        from zen_dagster.adapter import DagsterAdapter

        return DagsterAdapter
    raise AttributeError(f"module 'zen_dagster' has no attribute {name!r}")
