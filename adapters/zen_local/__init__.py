"""The embedded engine: runs a pipeline in this process, without an orchestrator."""

from zen_local.adapter import LocalAdapter

__all__ = ["LocalAdapter"]
