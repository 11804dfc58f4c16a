"""Checks a cron expression: the five fields that every orchestrator reads alike, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def value(self, text: str) -> int | None:
        """The number that one value stands for, or None when it is none of this field's."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if not re.fullmatch(r"\d{1,2}", text, re.ASCII):
            return None
        return int(text) if self.low <= int(text) <= self.high else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


def find_cron_problems(cron: str) -> list[str]:
    """What is wrong with a cron expression, one sentence a problem; an empty list for a good one."""
    texts = cron.split()
    if len(texts) != len(_FIELDS):
        return [f"it has {len(texts)} fields, not 5 (minute, hour, day of month, month, day of week)"]
    return [problem for field, text in zip(_FIELDS, texts, strict=True) for problem in _check(field, text)]


def _check(field: _Field, text: str) -> Iterator[str]:
    for item in text.split(","):
        span, slash, step = item.partition("/")
        if slash and not (re.fullmatch(r"\d{1,2}", step, re.ASCII) and 1 <= int(step) <= field.high):
            yield f"the {field.name} {item!r} has no step between 1 and {field.high} after the slash"
        elif slash and span != "*" and "-" not in span:
            # The orchestrators' parsers disagree about "5/10": every 10 from 5, or 5 alone.
            yield f"the {field.name} {item!r} has a step without a range before it"
        elif span != "*":
            yield from _check_span(field, span)


def _check_span(field: _Field, span: str) -> Iterator[str]:
    ends = [field.value(text) for text in span.split("-")]
    if len(ends) > 2 or None in ends:
        yield f"the {field.name} {span!r} is not between {field.low} and {field.high}"
    elif len(ends) == 2 and ends[0] > ends[1]:  # type: ignore[operator]
        yield f"the {field.name} {span!r} runs backwards"
