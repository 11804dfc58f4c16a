"""The code that the steps of two runs reach: which definitions differ, and how, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zen_metadata.lineage.records import AttemptRecord
from zen_metadata.query.differences.changes import Changes, sorted_changes
from zen_metadata.query.differences.sources import Sources
from zen_metadata.query.differences.steps import definitions_of
from zen_metadata.query.differences.unified import Line, Passage, unified_diff
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores
from zen_metadata.query.words import list_text

_PYTHON = ".py"


@dataclass(frozen=True, slots=True)
class CodeChanges:
    """What differs in the code that the steps reach.

    Attributes:
        changes: definitions by `module:qualname`, each with `kind`, `digest`, `file`, `lines` and the `steps` that
            reach it; `same_text` is set where only what it names is other code now. A step whose code differs, while
            it is not known in what, stands there by its own function.
        diff: a unified diff of their texts, with what looks like a secret masked; "" where no text is at hand.
        notes: what could not be compared, in words.
    """

    changes: Changes = field(default_factory=Changes)
    diff: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Definition:
    name: str
    facts: Mapping[str, Any]
    bundle: str
    steps: list[str]

    @property
    def digest(self) -> str:
        return str(self.facts["digest"])

    @property
    def place(self) -> dict[str, Any]:
        return {key: self.facts[key] for key in ("digest", "file", "lines") if key in self.facts}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.facts["kind"], **self.place, "steps": self.steps}

    def read(self, sources: Sources) -> tuple[str, list[Line]]:
        """The file that it lies in, and its lines; "" and none where the text is not at hand."""
        module, _, qualname = self.name.partition(":")
        file = sources.find_file(self.bundle, module, str(self.facts.get("file", "")))
        if file is None:
            return "", []
        first, last = self.facts.get("lines") or (0, 0)
        # What counts as a whole module has lines, but no definition of its own.
        name = "" if self.facts["kind"] == "module" else qualname
        return file.name, file.find_lines(name, (int(first), int(last)))


class _Code:
    """What the steps of one run reach."""

    def __init__(self, run: Run, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self.run = run
        self.steps = definitions_of(run)
        self.attempts: dict[str, AttemptRecord] = {
            step.name: step.state.attempt for step in run.steps if step.state and step.state.attempt.fingerprint
        }
        self.unknown = {name for name, attempt in self.attempts.items() if attempt.fingerprint not in documents}
        self.reached: dict[str, Mapping[str, Any]] = {
            step: documents.get(attempt.fingerprint, {}).get("definitions", {})
            for step, attempt in self.attempts.items()
        }
        self.definitions: dict[str, _Definition] = {}
        for step, reached in self.reached.items():
            for name, facts in reached.items():
                known = self.definitions.get(name)
                if known is None or known.digest != facts["digest"]:  # else a step that ran later, with other code
                    steps = [*known.steps] if known else []
                    known = _Definition(name, facts, self.attempts[step].code_digest, steps)
                    self.definitions[name] = known
                known.steps.append(step)

    def without(self, other: _Code) -> list[_Definition]:
        """The definitions that the other run does not reach.

        Not those that only steps reach of which the other run cannot tell: they did not begin there.
        """
        return [
            item
            for name, item in self.definitions.items()
            if name not in other.definitions and not all(map(other.cannot_tell, item.steps))
        ]

    def cannot_tell(self, step: str) -> bool:
        """Whether the pipeline has this step, and what its code reaches is not known."""
        return step in self.steps and (step not in self.attempts or step in self.unknown)


def compare_code(stores: ReadStores, before: Run, after: Run) -> CodeChanges:
    """The definitions that differ, with their texts from the code bundles of both runs."""
    digests = {state.attempt.fingerprint for run in (before, after) for state in run.states} - {""}
    documents = stores.lineage.get_codes(stores.settings.project, sorted(digests))
    left, right = _Code(before, documents), _Code(after, documents)
    added, removed = right.without(left), left.without(right)
    changed = [
        (item, right.definitions[name])
        for name, item in left.definitions.items()
        if name in right.definitions and right.definitions[name].digest != item.digest
    ]
    sources = Sources(stores)
    pairs = [*changed, *((None, item) for item in added), *((item, None) for item in removed)]
    passages = [_passage(sources, old, new) for old, new in pairs]
    known = {passage.name for passage in passages}
    changes = sorted_changes(
        {item.name: item.to_json() for item in added},
        {item.name: item.to_json() for item in removed},
        {new.name: _change(old, new, passage) for (old, new), passage in zip(changed, passages, strict=False)}
        | _unexplained(left, right, known),
    )
    diff = unified_diff(passages, before.run_id[:8], after.run_id[:8])
    if diff:
        from zen_core.environment.redaction import redact

        diff = redact(diff, file=_PYTHON)
    return CodeChanges(changes, diff, (*_notes(left, right), *_missing(sources, left, right)))


def _change(old: _Definition, new: _Definition, passage: Passage) -> dict[str, Any]:
    steps = list(dict.fromkeys([*old.steps, *new.steps]))
    change = {"kind": new.facts["kind"], "before": old.place, "after": new.place, "steps": steps}
    same = [text for _, text in passage.before] == [text for _, text in passage.after]
    # What it names is other code now: an import leads elsewhere, a variable holds another value.
    return {**change, "same_text": True} if same and passage.before else change


def _unexplained(left: _Code, right: _Code, known: set[str]) -> dict[str, Any]:
    """The steps whose fingerprints differ, and none of the definitions that they reach."""
    found: dict[str, Any] = {}
    for step in sorted(left.attempts.keys() & right.attempts.keys()):
        before, after = left.attempts[step].fingerprint, right.attempts[step].fingerprint
        if before != after and known.isdisjoint(left.reached[step].keys() | right.reached[step].keys()):
            name = str(right.steps.get(step, {}).get("entry_point") or step)
            entry = found.setdefault(name, {"kind": "step", "before": {}, "after": {}, "steps": []})
            entry["before"], entry["after"] = {"digest": before}, {"digest": after}
            entry["steps"] = sorted([*entry["steps"], step])
    return found


def _passage(sources: Sources, old: _Definition | None, new: _Definition | None) -> Passage:
    file_before, before = old.read(sources) if old else ("", [])
    file_after, after = new.read(sources) if new else ("", [])
    if (old and not file_before) or (new and not file_after):  # one side alone would read as added or removed
        before, after = [], []
    name = (new or old).name  # type: ignore[union-attr]
    return Passage(file_after or file_before, name, before, after)


def _notes(left: _Code, right: _Code) -> Iterator[str]:
    for code, other in ((left, right), (right, left)):
        run = f"run {code.run.run_id[:8]}"
        idle = sorted(step for step in other.attempts if step in code.steps and step not in code.attempts)
        if idle:
            yield f"in {run} {_listed(idle)} did not begin: code that nothing else reaches is not compared"
        unknown = sorted(step for step in code.unknown if not _is_same(step, left, right))
        if unknown:
            yield f"what the code of {_listed(unknown)} reaches is not recorded for {run}"


def _is_same(step: str, left: _Code, right: _Code) -> bool:
    old, new = left.attempts.get(step), right.attempts.get(step)
    return old is not None and new is not None and old.fingerprint == new.fingerprint


def _missing(sources: Sources, left: _Code, right: _Code) -> Iterator[str]:
    for bundle, problems in sorted(sources.problems.items()):
        runs = [code for code in (left, right) if any(item.bundle == bundle for item in code.definitions.values())]
        named = " and ".join(dict.fromkeys(f"run {code.run.run_id[:8]}" for code in runs))
        yield f"of the code of {named} only names and lines are at hand; its bundle: {'; '.join(problems)}"


def _listed(steps: list[str]) -> str:
    return f"step {steps[0]}" if len(steps) == 1 else f"steps {list_text(steps)}"
