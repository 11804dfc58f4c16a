"""Environments of runs, and what two of them differ in: packages, Python, platform, git, names of variables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zen_core.environment.changes import files_of
from zen_core.environment.installs import describe_version
from zen_core.errors import NotFoundError, StoreError

if TYPE_CHECKING:
    from zen_metadata.code_source import CodeSource
    from zen_metadata.query.runs import Run
    from zen_metadata.query.stores import ReadStores

PACKAGE, VARIABLE = "package:", "variable:"
_PLAIN = ("python", "implementation", "build", "platform", "release", "libc", "machine", "image_digest", "cuda")
_GIT = ("commit", "branch", "remote", "folder", "problem")
_DIFF = "git.diff"
_WORDS = {
    "image_digest": "image",
    "cuda": "CUDA",
    "gpu.driver": "GPU driver",
    "gpu.models": "GPUs",
    "git.folder": "folder in the repository",
    "git.problem": "git",
}
_SHOWN_DIGITS = 12
_SHOWN_FILES = 5


@dataclass(frozen=True, slots=True)
class EnvironmentDiff:
    """What differs between two environment snapshots, by name, sorted.

    Attributes:
        added: what only the second one has.
        removed: what only the first one has.
        changed: what both have, as `before` and `after`.
    """

    added: Mapping[str, Any] = field(default_factory=dict)
    removed: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def to_json(self) -> dict[str, Any]:
        """The document of `zen env diff --json`."""
        return {
            "added": dict(self.added),
            "removed": dict(self.removed),
            "changed": {name: dict(pair) for name, pair in self.changed.items()},
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, before and after, as people read it: Python and platform first, then packages, git, variables.

        "" stands for what is not there.
        """
        found = [(name, "", _value_words(name, value)) for name, value in self.added.items()]
        found += [(name, _value_words(name, value), "") for name, value in self.removed.items()]
        found += [(name, *_pair_words(name, pair)) for name, pair in self.changed.items()]
        found.sort(key=lambda row: (_rank(row[0]), row[0]))
        return [(_name_words(name), before, after) for name, before, after in found]

    def lines(self) -> list[str]:
        """The same in words: "pandas 2.2.3 -> 2.3.0", "xgboost 2.1.0 added", "variable MODEL_URL removed"."""
        lines = []
        for name, before, after in self.rows():
            if name.startswith("variable "):
                lines.append(f"{name} {'added' if after else 'removed'}")
            elif before and after:
                lines.append(f"{name} {before} -> {after}")
            else:
                lines.append(f"{name} {before or after} {'added' if after else 'removed'}")
        return lines


def compare_environments(before: Mapping[str, Any], after: Mapping[str, Any]) -> EnvironmentDiff:
    """What differs between two snapshots, as the lineage store keeps them; {} stands for none.

    Names: `python`, `implementation`, `build`, `platform`, `release`, `libc`, `machine`, `image_digest`, `gpu.driver`,
    `gpu.models`, `cuda`; `package:NAME`, with the version and how it was installed; `variable:NAME`; `git.commit`,
    `git.branch`, `git.remote`, `git.folder`, `git.problem`, and `git.diff`: by file, a digest of what is uncommitted.
    """
    left, right = dict(_facts(before)), dict(_facts(after))
    return EnvironmentDiff(
        {name: right[name] for name in sorted(right.keys() - left.keys())},
        {name: left[name] for name in sorted(left.keys() - right.keys())},
        {
            name: {"before": left[name], "after": right[name]}
            for name in sorted(left.keys() & right.keys())
            if left[name] != right[name]
        },
    )


def describe_uncommitted(git: Mapping[str, Any]) -> dict[str, str]:
    """The files with uncommitted changes in a snapshot, each with a digest of its changes, or why they are left out."""
    found = {
        file: hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:_SHOWN_DIGITS]
        for file, part in files_of(str(git.get("diff") or "")).items()
    }
    for item in git.get("left_out", ()):
        found[item["file"]] = f"not recorded: {item['reason']} {item.get('digest', '')}".rstrip()
    return dict(sorted(found.items()))


def _facts(snapshot: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((name, snapshot[name]) for name in _PLAIN if snapshot.get(name))
    if gpus := snapshot.get("gpus"):
        yield "gpu.driver", gpus.get("driver", "")
        yield "gpu.models", ", ".join(gpus.get("models", ()))
    installs = snapshot.get("installs", {})
    for name, version in snapshot.get("packages", {}).items():
        yield f"{PACKAGE}{name}", describe_version(version, installs.get(name))
    yield from ((f"{VARIABLE}{name}", "set") for name in snapshot.get("environment_variables", ()))
    git = snapshot.get("git") or {}
    yield from ((f"git.{name}", git[name]) for name in _GIT if git.get(name))
    if files := describe_uncommitted(git):
        yield _DIFF, files


def _rank(name: str) -> int:
    if name.startswith(PACKAGE):
        return 1
    return 3 if name.startswith(VARIABLE) else 2 if name.startswith("git.") else 0


def _name_words(name: str) -> str:
    if name == _DIFF:
        return "uncommitted changes"
    if name.startswith(PACKAGE):
        return name.removeprefix(PACKAGE)
    return _WORDS.get(name) or name.replace("git.", "git ").replace(":", " ")


def _pair_words(name: str, pair: Mapping[str, Any]) -> tuple[str, str]:
    if name != _DIFF:
        return _value_words(name, pair["before"]), _value_words(name, pair["after"])
    before, after = pair["before"], pair["after"]
    again = [f"{file} (changed again)" for file in after if file in before and before[file] != after[file]]
    fewer = [file for file in before if before[file] != after.get(file)]
    more = [*(file for file in after if file not in before), *again]
    return _value_words(name, fewer) or "none of these", _value_words(name, sorted(more)) or "none of these"


def _value_words(name: str, value: Any) -> str:
    if name == _DIFF:
        files = list(value)
        more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
        return ", ".join(files[:_SHOWN_FILES]) + more
    return str(value)[:_SHOWN_DIGITS] if name == "git.commit" else str(value)


# -- the environments of a run ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunEnvironment:
    """One environment of a run, with the steps that had it.

    Attributes:
        digest: of the snapshot.
        steps: the labels of the step runs (`name`, `name[index]`), by their latest attempt.
        snapshot: None where it is not in the store: the process could not reach it yet.
        code: the digests of the code that ran in it, each with where it was pushed from, where that is known.
    """

    digest: str
    steps: tuple[str, ...]
    snapshot: Mapping[str, Any] | None
    code: Mapping[str, CodeSource | None]

    def to_json(self) -> dict[str, Any]:
        """An entry of `zen env show --json`."""
        packages = (self.snapshot or {}).get("packages", {})
        return {
            "environment_digest": self.digest,
            "steps": list(self.steps),
            "code": {digest: source.to_json() if source else None for digest, source in self.code.items()},
            "pydantic": packages.get("pydantic"),
            "snapshot": dict(self.snapshot) if self.snapshot is not None else None,
        }


def find_environments(run: Run, stores: ReadStores, step: str | None = None) -> list[RunEnvironment]:
    """The environments of a run, in the order of its steps.

    Args:
        step: only that of this step (`name`, which stands for all its elements, or `name[index]`).

    Raises:
        NotFoundError: the run has no such step, or none of them began.
    """
    chosen = [item for item in run.steps if item.state is not None and item.environment_digest]
    if step is not None:
        chosen = [item for item in chosen if step in (item.name, item.label)]
        if not chosen:
            run.step(step)  # says which there are
            raise NotFoundError(f"step {step!r} did not begin in run {run.run_id[:8]}, and has no environment")
    labels: dict[str, list[str]] = {}
    codes: dict[str, set[str]] = {}
    for item in chosen:
        assert item.environment_digest is not None
        assert item.state is not None
        labels.setdefault(item.environment_digest, []).append(item.label)
        codes.setdefault(item.environment_digest, set()).add(item.state.attempt.code_digest)
    sources = {code: _find_source(stores, code) for code in sorted(set().union(*codes.values())) if code}
    return [
        RunEnvironment(
            digest,
            tuple(steps),
            stores.lineage.get_environment(run.record.project, digest),
            {code: source for code, source in sources.items() if code in codes[digest]},
        )
        for digest, steps in labels.items()
    ]


def _find_source(stores: ReadStores, code_digest: str) -> CodeSource | None:
    from zen_metadata.code_source import load_code_source

    try:
        return load_code_source(stores.artifacts, code_digest)
    except StoreError:  # it is only information, and the environment is known without it
        return None
