"""Options of an adapter: `[adapters.NAME]` in zen.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class AdapterOptions(BaseModel):
    """What every adapter's options share. Closed: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    waive: tuple[str, ...] = ()
    """Features that only place or size a step, and that this target may leave out: said at compile and in the file."""
