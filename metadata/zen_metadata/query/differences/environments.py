"""The environments that the steps of two runs ran in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zen_metadata.query.differences.changes import Changes, same_value, sorted_changes
from zen_metadata.query.environments import compare_environments
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores
from zen_metadata.query.words import list_text


@dataclass(frozen=True, slots=True)
class EnvironmentChanges:
    """What differs in the environments, by the names of `compare_environments`.

    Attributes:
        changes: what differs in all steps stands under its name (`package:pandas`), what differs only in some, or
            otherwise, under `name (step, step)`.
        notes: what could not be compared, in words.
    """

    changes: Changes = field(default_factory=Changes)
    notes: tuple[str, ...] = ()


def compare_run_environments(stores: ReadStores, before: Run, after: Run) -> EnvironmentChanges:
    """The environments of the steps that began in both runs."""
    left, right = _digests_of(before), _digests_of(after)
    both = [step for step in right if step in left]
    steps_by_pair: dict[tuple[str, str], list[str]] = {}
    for step in both:
        if left[step] != right[step]:
            steps_by_pair.setdefault((left[step], right[step]), []).append(step)
    snapshots = {
        digest: stores.lineage.get_environment(stores.settings.project, digest)
        for digest in sorted({digest for pair in steps_by_pair for digest in pair})
    }
    added, removed, changed = _Found(both), _Found(both), _Found(both)
    notes: list[str] = []
    for (old, new), steps in steps_by_pair.items():
        document_before, document_after = snapshots[old], snapshots[new]
        if document_before is None or document_after is None:
            run = before if document_before is None else after
            notes.append(f"the environment of {list_text(steps)} in run {run.run_id[:8]} is not recorded")
            continue
        found = compare_environments(document_before, document_after)
        added.add(found.added, steps)
        removed.add(found.removed, steps)
        changed.add({name: dict(pair) for name, pair in found.changed.items()}, steps)
    return EnvironmentChanges(sorted_changes(added.by_name(), removed.by_name(), changed.by_name()), tuple(notes))


def _digests_of(run: Run) -> dict[str, str]:
    """The environment of each step, by its name: of the elements of a map that of the first one."""
    found: dict[str, str] = {}
    for step in run.steps:
        if step.environment_digest:
            found.setdefault(step.name, step.environment_digest)
    return found


class _Found:
    """Differences by name, each with the steps that have it."""

    def __init__(self, all_steps: list[str]) -> None:
        self._all = all_steps
        self._found: dict[str, list[tuple[Any, list[str]]]] = {}

    def add(self, differences: Mapping[str, Any], steps: list[str]) -> None:
        for name, value in differences.items():
            known = self._found.setdefault(name, [])
            alike = next((entry for entry in known if same_value(entry[0], value)), None)
            if alike is None:
                known.append((value, [*steps]))
            else:
                alike[1].extend(steps)

    def by_name(self) -> dict[str, Any]:
        return {
            name if len(steps) == len(self._all) else f"{name} ({', '.join(steps)})": value
            for name, entries in self._found.items()
            for value, steps in entries
        }
