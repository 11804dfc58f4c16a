"""Defaults of pipeline parameters that stand for something which only a run knows."""

from __future__ import annotations

from typing import Any


class ScheduledTimeDefault:
    """What `ScheduledTime()` gives: the mark that a parameter's default is the tick which the run stands for."""

    def __repr__(self) -> str:
        return "ScheduledTime()"


def ScheduledTime() -> Any:  # noqa: N802 - reads as the value that it stands for, and so types as any datetime
    """The tick that the run stands for, aware, in the schedule's zone: `day: datetime = ScheduledTime()`.

    Only as the default of a pipeline parameter. A manual or local run takes the present time, or what it is given.
    """
    return ScheduledTimeDefault()
