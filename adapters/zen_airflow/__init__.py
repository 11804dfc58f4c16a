"""Zen's adapter for Apache Airflow. Exports AirflowAdapter, loaded on first use: a task imports only `runtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_airflow.adapter import AirflowAdapter

__all__ = ["AirflowAdapter"]


def __getattr__(name: str) -> Any:
    if name == "AirflowAdapter":
        from zen_airflow.adapter import AirflowAdapter

        return AirflowAdapter
    raise AttributeError(f"module 'zen_airflow' has no attribute {name!r}")
