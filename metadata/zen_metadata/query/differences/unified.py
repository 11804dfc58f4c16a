"""A unified diff of single definitions, with the line numbers that they have in their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from zen_metadata.query.words import definition_text

Line = tuple[int, str]
"""A line's number in its file, and its text."""

_CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Passage:
    """One definition in both runs; no lines where one of them does not have it.

    Attributes:
        file: the path below the import root; of the second run where both have one.
        name: `module:qualname`, shown behind the line numbers.
    """

    file: str
    name: str
    before: Sequence[Line]
    after: Sequence[Line]


def unified_diff(passages: Iterable[Passage], before: str, after: str) -> str:
    """The diff of all passages, by file and line; "" where nothing differs in its text.

    Args:
        before: names the first run in the heads of the files; `after` the second.
    """
    lines: list[str] = []
    ordered = sorted(_outermost(passages), key=lambda item: (item.file, _first(item), item.name))
    for file, group in groupby(ordered, key=lambda item: item.file):
        hunks = [line for passage in group for line in _hunks(passage)]
        if hunks:
            lines += [f"--- {before}/{file}", f"+++ {after}/{file}", *hunks]
    return "".join(f"{line}\n" for line in lines)


def _first(passage: Passage) -> int:
    return (passage.after or passage.before)[0][0]


def _outermost(passages: Iterable[Passage]) -> list[Passage]:
    """Without those that lie within another one: a method of a class that is shown as a whole."""
    kept: list[Passage] = []
    for passage in sorted(passages, key=lambda item: (-len(item.before) - len(item.after), item.name)):
        if (passage.before or passage.after) and not any(_lies_in(passage, other) for other in kept):
            kept.append(passage)
    return kept


def _lies_in(inner: Passage, outer: Passage) -> bool:
    if inner.file != outer.file:
        return False
    sides = ((inner.before, outer.before), (inner.after, outer.after))
    return all(set(part) <= set(whole) for part, whole in sides)


def _hunks(passage: Passage) -> Iterator[str]:
    before, after = passage.before, passage.after
    matcher = SequenceMatcher(None, [text for _, text in before], [text for _, text in after])
    for group in matcher.get_grouped_opcodes(_CONTEXT_LINES):
        if all(kind == "equal" for kind, *_ in group):
            continue
        left, right = before[group[0][1] : group[-1][2]], after[group[0][3] : group[-1][4]]
        yield f"@@ -{_range(left)} +{_range(right)} @@ {definition_text(passage.name)}"
        for kind, start, end, other_start, other_end in group:
            if kind == "equal":
                yield from (f" {text}" for _, text in before[start:end])
                continue
            yield from (f"-{text}" for _, text in before[start:end])
            yield from (f"+{text}" for _, text in after[other_start:other_end])


def _range(lines: Sequence[Line]) -> str:
    if not lines:
        return "0,0"
    return f"{lines[0][0]},{len(lines)}"
