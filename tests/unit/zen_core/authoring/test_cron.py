"""Cron expressions that every orchestrator reads alike."""

import pytest

from zen_core.authoring.cron import find_cron_problems


@pytest.mark.parametrize(
    "cron",
    ["* * * * *", "0 6 * * *", "*/15 0-8 1,15 JAN-mar MON-FRI", "0 0 1 1 7", "59 23 31 12 0", "0-30/10 * * * *"],
)
def test_good_expressions(cron: str) -> None:
    assert find_cron_problems(cron) == []


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("0 6 * *", "it has 4 fields, not 5"),
        ("0 0 6 * * *", "it has 6 fields, not 5"),
        ("@daily", "it has 1 fields, not 5"),
        ("60 * * * *", "the minute '60' is not between 0 and 59"),
        ("* 24 * * *", "the hour '24' is not between 0 and 23"),
        ("* * 0 * *", "the day of month '0' is not between 1 and 31"),
        ("* * * 13 *", "the month '13' is not between 1 and 12"),
        ("* * * * 8", "the day of week '8' is not between 0 and 7"),
        ("* * * * 5-1", "the day of week '5-1' runs backwards"),
        ("*/0 * * * *", "the minute '*/0' has no step between 1 and 59 after the slash"),
        ("5/10 * * * *", "the minute '5/10' has a step without a range before it"),
        ("* * L * *", "the day of month 'L' is not between 1 and 31"),
        ("1,, * * * *", "the minute '' is not between 0 and 59"),
        ("1-2-3 * * * *", "the minute '1-2-3' is not between 0 and 59"),
        ("* * * * mon#2", "the day of week 'mon#2' is not between 0 and 7"),
    ],
)
def test_what_is_wrong_is_said(cron: str, problem: str) -> None:
    assert problem in find_cron_problems(cron)[0]


def test_all_fields_are_told_at_once() -> None:
    assert len(find_cron_problems("60 24 0 13 9")) == 5
