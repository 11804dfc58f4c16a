"""What `zen diff` tells people, section by section: the terminal and the page show the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zen_metadata.cli.diff_words import Mark, Words, tell_artifact, tell_definition, tell_metric, tell_step, tell_value
from zen_metadata.query.diff import RunDiff
from zen_metadata.query.differences.changes import Changes
from zen_metadata.query.environments import EnvironmentDiff
from zen_metadata.query.words import definition_text

# Control characters, half surrogates, and what turns the direction of text around: a terminal or a reader could be
# made to see something else than what is there.
_TREACHEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a section."""

    mark: Mark
    name: str
    words: Words


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of difference. `diff` is a unified diff, behind the entries."""

    title: str
    entries: tuple[Entry, ...]
    diff: str = ""

    @property
    def differing(self) -> int:
        """How many entries tell a difference."""
        return sum(entry.mark != "=" for entry in self.entries)


def sections_of(diff: RunDiff, *, longest: int) -> list[Section]:
    """All sections, also those in which nothing differs.

    Args:
        longest: how many characters of a value are shown.
    """
    steps = ((pair.name, *tell_step(pair, longest)) for pair in diff.steps)
    return [
        Section("parameters", _entries(diff.parameters, tell_value, longest)),
        Section("code", tuple(_code_entries(diff.code.changes, longest)), visible(diff.code.diff)),
        Section("environment", tuple(_environment_entries(diff.environment.changes))),
        Section("artifacts", _entries(diff.artifacts, tell_artifact, longest)),
        Section("metrics", _entries(diff.metrics, tell_metric, longest)),
        Section("steps", tuple(_entry(name, mark, words) for name, mark, words in steps)),
    ]


def summary_of(diff: RunDiff, sections: Sequence[Section]) -> str:
    """What differs and what does not, in one line."""
    if diff.equal:
        return "equal: parameters, code, environment, artifacts, metrics and steps are the same"
    differing = [f"{section.title} ({section.differing})" for section in sections if section.differing]
    same = [section.title for section in sections if not section.differing]
    words = f"different: {', '.join(differing or ['the pipelines'])}"
    return f"{words}; the same: {', '.join(same)}" if same else words


def visible(text: str) -> str:
    """The text with what a terminal or a browser would obey, instead of showing it, written out (`\\x1b`)."""
    return _TREACHEROUS.sub(lambda found: _escape(ord(found[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _entries(changes: Changes, tell: Callable[[Mark, Any, int], Words], longest: int) -> tuple[Entry, ...]:
    return tuple(
        _entry(name, mark, tell(mark, value, longest))
        for name, mark, value in sorted(_marked(changes), key=lambda item: item[0])
    )


def _code_entries(changes: Changes, longest: int) -> Iterator[Entry]:
    for entry in _entries(changes, tell_definition, longest):
        yield replace(entry, name=definition_text(entry.name))


def _environment_entries(changes: Changes) -> Iterator[Entry]:
    for name, mark, value in sorted(_marked(changes), key=lambda item: item[0]):
        plain, _, steps = name.partition(" (")
        part = {"+": "added", "-": "removed", "~": "changed"}[mark]
        [(words, before, after)] = EnvironmentDiff(**{part: {plain: value}}).rows()
        yield _entry(f"{words} ({steps}" if steps else words, mark, Words(before, after))


def _marked(changes: Changes) -> Iterator[tuple[str, Mark, Any]]:
    yield from ((name, "+", value) for name, value in changes.added.items())
    yield from ((name, "-", value) for name, value in changes.removed.items())
    yield from ((name, "~", value) for name, value in changes.changed.items())


def _entry(name: str, mark: Mark, words: Words) -> Entry:
    before, after, remark = (visible(text) for text in (words.before, words.after, words.remark))
    return Entry(mark, visible(name), Words(before, after, remark, tuple(map(visible, words.details))))
