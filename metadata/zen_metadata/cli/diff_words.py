"""The words of `zen diff`: one difference of each kind, as `to_json` tells it, in a few words for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from zen_core.cli.output import format_bytes, format_seconds, short_digest
from zen_metadata.query.differences.changes import is_number, same_value
from zen_metadata.query.differences.steps import StepPair, StepSide
from zen_metadata.query.words import count_text, list_text, place_text, value_text

Mark = Literal["+", "-", "~", "="]
"""Only the second run has it; only the first; both, and it differs; both alike."""

_FEW = 5
"""How many names of a list are shown."""
_MOST_DETAILS = 12
"""Of one artifact: a table may have a thousand columns."""
_CONTEXT = 10
"""Of two long texts, so many characters are shown before the first that differs."""
_UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Words:
    """What is told of one difference: what it was and is, what else there is to say, and further lines."""

    before: str = ""
    after: str = ""
    remark: str = ""
    details: tuple[str, ...] = ()


def tell_value(mark: Mark, value: Any, longest: int) -> Words:
    """A parameter, or a fact of the environment."""
    return _one_or_two(mark, value, longest)


def tell_metric(mark: Mark, value: Any, longest: int) -> Words:
    """A metric, with the difference."""
    if mark != "~":
        return _one_or_two(mark, value, longest)
    before, after = _show_measures(value["before"], value["after"], longest)
    remarks = [_show_difference(value)]
    if counts := value.get("elements"):
        remarks.append(f"mean of {_arrow(counts['before'], counts['after'])} elements")
        remarks.append(f"{value['elements_changed']} of them changed" if value["elements_changed"] else "")
    return Words(before, after, ", ".join(filter(None, remarks)))


def tell_definition(mark: Mark, value: Mapping[str, Any], longest: int) -> Words:
    """A function, class or variable: where it stands, and which steps reach it."""
    old, new = (value["before"], value["after"]) if mark == "~" else (value, value)
    steps = _listed(value["steps"])
    remark = f"code of {steps}" if value["kind"] == "step" else f"{value['kind']}, reached by {steps}"
    if value.get("same_text"):
        remark += ", its own text is the same"
    before, after = "" if mark == "+" else place_text(old), "" if mark == "-" else place_text(new)
    return Words(before if before != after else "", after, remark)


def tell_step(pair: StepPair, longest: int) -> tuple[Mark, Words]:
    """A step in both runs: how it ended and how long it took."""
    mark: Mark = "=" if pair.same else "-" if pair.after is None else "+" if pair.before is None else "~"
    before, after = _side(pair.before), _side(pair.after)
    details = []
    for name, values in pair.definition.items():
        old, new = show_pair(values["before"], values["after"], longest)
        details.append(f"defined otherwise: {name} {old} -> {new}")
    return mark, Words(before, after, "" if pair.kind == "step" else pair.kind, tuple(details))


def tell_artifact(mark: Mark, value: Mapping[str, Any], longest: int) -> Words:
    """An output of a step, or what was read from outside."""
    if mark != "~":
        words = [str(value.get("type", "")), f"{value['elements']} elements" if "elements" in value else ""]
        shown = value_text(value["value"], longest=longest) if "value" in value else ""
        remark = ", ".join(filter(None, [*words, _deleted(value)]))
        return Words(shown, "", remark) if mark == "-" else Words("", shown, remark)
    if "elements" in value:
        return Words(remark="; ".join(_elements(value["elements"])))
    old, new = value["before"], value["after"]
    before, after = ("", "")
    if "value" in value:
        before, after = show_pair(value["value"]["before"], value["value"]["after"], longest)
    remarks = [_show_difference(value.get("value", {})) or _summary(value), *_deletions(old, new)]
    details = [*_details(value, longest)]
    if len(details) > _MOST_DETAILS:
        more = len(details) - _MOST_DETAILS
        details[_MOST_DETAILS:] = [f"and {more} more, which --json tells"]
    if "not_read" in value and not _deletions(old, new):
        details.append(f"not read: {value['not_read']}")
    if "nondeterministic" in value:
        details.append(f"may differ although nothing changed: {value['nondeterministic']}")
    return Words(before, after, "; ".join(filter(None, remarks)), tuple(details))


def show_pair(before: Any, after: Any, longest: int) -> tuple[str, str]:
    """Two values that differ, in JSON form, cut so that it is seen in what."""
    texts = [value_text(value, longest=_UNLIMITED) for value in (before, after)]
    if texts[0] == texts[1]:  # of other types: 1 and "1"
        texts = [json.dumps(value, ensure_ascii=False, sort_keys=True) for value in (before, after)]
    pairs = enumerate(zip(*texts, strict=False))
    first = next((at for at, (old, new) in pairs if old != new), min(map(len, texts)))
    start = first - _CONTEXT if max(map(len, texts)) > longest and first > longest // 2 else 0
    return _cut(texts[0], start, longest), _cut(texts[1], start, longest)


def _show_measures(before: Any, after: Any, longest: int) -> tuple[str, str]:
    """Two measured numbers, to six digits where they differ in them."""
    old, new = (
        f"{value:.6g}" if isinstance(value, float) and len(repr(value)) > 8 else value for value in (before, after)
    )
    return show_pair(before, after, longest) if old == new else show_pair(old, new, longest)


def _cut(text: str, start: int, longest: int) -> str:
    shown = f"…{text[start:]}" if start else text
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _one_or_two(mark: Mark, value: Any, longest: int) -> Words:
    if mark == "~":
        return Words(*show_pair(value["before"], value["after"], longest))
    shown = value_text(value, longest=longest)
    return Words(before=shown) if mark == "-" else Words(after=shown)


def _show_difference(pair: Mapping[str, Any]) -> str:
    difference = pair.get("difference")
    if not is_number(difference):
        return ""
    return f"{difference:+d}" if isinstance(difference, int) else f"{difference:+.6g}"


def _arrow(before: Any, after: Any) -> str:
    return str(after) if before == after else f"{before} -> {after}"


# -- steps -----------------------------------------------------------------------------------------------------------


def _side(side: StepSide | None) -> str:
    if side is None:
        return "not there"
    status = ", ".join(f"{count} {name}" for name, count in side.elements.items()) or side.status
    answer = "" if side.answer is None else f"({value_text(side.answer)})"
    return " ".join(
        filter(None, [f"{status}," if len(side.elements) > 1 else status, answer, format_seconds(side.seconds)])
    )


# -- artifacts -------------------------------------------------------------------------------------------------------


def _deleted(artifact: Mapping[str, Any]) -> str:
    deleted = artifact.get("deleted")
    if not deleted:
        return ""
    by = f" by {deleted['by']}" if deleted["by"] else ""
    reason = f": {deleted['reason']}" if deleted["reason"] else ""
    return f"deleted on {deleted['at'][:10]}{by}{reason}"


def _deletions(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    sides = (("the first", _deleted(old)), ("the second", _deleted(new)))
    return [f"{side} was {words}" for side, words in sides if words]


def _elements(counts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_arrow(counts['before'], counts['after'])} elements"
    for word in ("changed", "added", "removed"):
        if counts[word]:
            yield f"{len(counts[word])} {word} ({_listed([f'[{index}]' for index in counts[word]])})"


def _summary(entry: Mapping[str, Any]) -> str:
    """What differs in a few words."""
    old, new = entry["before"], entry["after"]
    if table := entry.get("table"):
        return _table_summary(table)
    if model := entry.get("model"):
        return f"type {_arrow(model['type']['before'], model['type']['after'])}"
    if lines := entry.get("lines"):
        return f"{count_text(lines['added'], 'line')} added, {lines['removed']} removed"
    if elements := entry.get("array", {}).get("elements"):
        return f"{elements['changed']} of {elements['total']} elements changed"
    if "value" in entry:
        return ""
    words = [f"type {_arrow(old['type'], new['type'])}" if old["type"] != new["type"] else str(new["type"])]
    if old["size_bytes"] != new["size_bytes"]:
        words.append(f"{format_bytes(old['size_bytes'])} -> {format_bytes(new['size_bytes'])}")
    elif not entry.get("entries") and "length" not in entry:
        words.append(f"other content ({short_digest(old['digest'])} -> {short_digest(new['digest'])})")
    return ", ".join(words)


def _table_summary(table: Mapping[str, Any]) -> str:
    rows = table["rows"]
    known = None not in rows.values()
    parts = [f"rows {_arrow(rows['before'], rows['after'])}" if known else "a table"]
    if changes := table.get("row_changes"):
        counted = [f"{changes[word]} {word}" for word in ("added", "removed", "changed", "moved") if changes[word]]
        parts.append(", ".join(counted) or "the same values in the columns of both")
    return "; ".join(parts)


def _details(entry: Mapping[str, Any], longest: int) -> Iterator[str]:
    if table := entry.get("table"):
        yield from _columns(table["columns"])
        for column, pairs in table.get("statistics", {}).items():
            yield f"{column}: {_pairs(pairs, longest)}"
    if model := entry.get("model"):
        parameters = model.get("parameters", {})
        for name, value in parameters.get("added", {}).items():
            yield f"+ {name} {value_text(value, longest=longest)}"
        for name, value in parameters.get("removed", {}).items():
            yield f"- {name} {value_text(value, longest=longest)}"
        for name, pair in parameters.get("changed", {}).items():
            yield f"{name} {' -> '.join(show_pair(pair['before'], pair['after'], longest))}"
        if parameters and not any(parameters.values()):
            yield "the same parameters, fitted otherwise"
    if array := entry.get("array"):
        facts = {name: array[name] for name in ("shape", "dtype") if not _same(array[name])}
        yield from filter(None, [_pairs({**facts, **array.get("statistics", {})}, longest)])
    if (file := entry.get("file")) and not _same(file["name"]):
        yield f"name {_arrow(file['name']['before'], file['name']['after'])}"
    for word in ("added", "removed", "changed"):
        if names := {**entry.get("file", {}), **entry.get("entries", {})}.get(word):
            yield f"{word}: {_listed(names)}"
    if "length" in entry:
        yield f"length {_arrow(entry['length']['before'], entry['length']['after'])}, {entry['items_changed']} changed"


def _columns(columns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for word in ("added", "removed"):
        if columns[word]:
            named = [f"{name} ({dtype})" if dtype else name for name, dtype in columns[word].items()]
            yield f"columns {word}: {_listed(named)}"
    changed = [f"{name} {pair['before']} -> {pair['after']}" for name, pair in columns["changed"].items()]
    if changed:
        yield f"types: {_listed(changed)}"


def _pairs(pairs: Mapping[str, Any], longest: int) -> str:
    return ", ".join(
        f"{name} {' -> '.join(_show_measures(pair['before'], pair['after'], longest))}" for name, pair in pairs.items()
    )


def _listed(names: Sequence[Any]) -> str:
    return list_text([str(name) for name in names], _FEW)


def _same(pair: Mapping[str, Any]) -> bool:
    return same_value(pair["before"], pair["after"])
