"""Durations and sizes as people write them: `"1h30m"`, `"4Gi"`."""

from __future__ import annotations

import datetime
import math
import re

Duration = str | int | float | datetime.timedelta
"""A text such as "30s", "15m", "1h30m" or "7d", a number of seconds, or a timedelta."""
Size = str | int
"""A text such as "512Mi", "4Gi" or "2G", or a number of bytes."""

_SECONDS_BY_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_BYTES_BY_UNIT = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T"), start=1)},
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1)},
}
_DURATION_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]i?|)B?", re.ASCII)


def parse_duration(value: Duration) -> float:
    """The duration in seconds. Raises ValueError, with what is wrong, for anything else and for negative ones."""
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = _parse_duration_text(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise ValueError(f"{value!r} is no duration")
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is no duration")
    return seconds


def parse_size(value: Size) -> int:
    """The size in bytes. Raises ValueError, with what is wrong, for anything else and for sizes below one byte."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is no size")
        unit = "k" if match[2] == "K" else match[2]
        size: int = round(float(match[1]) * _BYTES_BY_UNIT[unit])
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise ValueError(f"{value!r} is no size")
    if size < 1:
        raise ValueError(f"{value!r} is no size")
    return size


def _parse_duration_text(text: str) -> float:
    end = 0
    seconds = 0.0
    while match := _DURATION_PART.match(text, end):
        seconds += float(match[1]) * _SECONDS_BY_UNIT[match[2]]
        end = match.end()
    if end == 0 or text[end:].strip():
        raise ValueError(f"{text!r} is no duration")
    return seconds
