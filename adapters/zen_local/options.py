"""Options of the embedded engine: `[adapters.local]` in zen.toml."""

from __future__ import annotations

from pydantic import Field

from zen_core.adapter.options import AdapterOptions


class LocalOptions(AdapterOptions):
    """How the embedded engine uses this machine."""

    max_workers: int | None = Field(default=None, ge=1, le=1024)
    """Steps at once; the number of cores when it is not set."""
