"""Zen's adapter for Prefect. Exports PrefectAdapter, loaded on first use: a task imports only `runtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_prefect.adapter import PrefectAdapter

__all__ = ["PrefectAdapter"]


def __getattr__(name: str) -> Any:
    if name == "PrefectAdapter":
        from zen_prefect.adapter import PrefectAdapter

        return PrefectAdapter
    raise AttributeError(f"module 'zen_prefect' has no attribute {name!r}")
