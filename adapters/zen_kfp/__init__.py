"""Zen's adapter for Kubeflow Pipelines. Exports KfpAdapter, loaded on first use: a container imports only `runtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_kfp.adapter import KfpAdapter

__all__ = ["KfpAdapter"]


def __getattr__(name: str) -> Any:
    if name == "KfpAdapter":
        from zen_kfp.adapter import KfpAdapter

        return KfpAdapter
    raise AttributeError(f"module 'zen_kfp' has no attribute {name!r}")
