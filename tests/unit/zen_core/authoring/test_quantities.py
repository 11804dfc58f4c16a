"""Durations and sizes as people write them."""

import datetime
from typing import Any

import pytest

from zen_core.authoring.quantities import parse_duration, parse_size


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30s", 30), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600), ("1h30m", 5400), ("250ms", 0.25),
        ("1.5h", 5400), (" 1h 30m ", 5400), (0, 0), (45, 45), (0.5, 0.5), (datetime.timedelta(minutes=2), 120),
    ],
)  # fmt: skip
def test_a_duration_in_seconds(value: Any, seconds: float) -> None:
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "30", "h", "5 apples", "1h-5m", "-1h", "1H", -1, True, None, float("inf"), float("nan"), [1], "٣s"]
)
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("512Mi", 512 * 1024**2), ("4Gi", 4 * 1024**3), ("2G", 2 * 1000**3), ("1.5Gi", 1_610_612_736),
        ("500k", 500_000),
        ("1K", 1000), ("1KiB", 1024), ("10 MB", 10_000_000), ("1024", 1024), (2048, 2048), ("1Ti", 1024**4),
    ],
)  # fmt: skip
def test_a_size_in_bytes(value: Any, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["", "4m", "4gi", "Gi", "-1Gi", "4 Gigabytes", "0", 0, -1, True, 1.5, None, "0.1"])
def test_what_is_no_size(value: Any) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(value)
