"""Where pushed code comes from: a commit, noted beside the code bundle by whoever pushes it.

It cannot be in what is compiled, which must not change with a commit that changes no code; and a task of an
orchestrator has no repository to ask.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.environment.git import GitQuestion, find_repository

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore


@dataclass(frozen=True, slots=True)
class CodeSource:
    """The state of the project's folder from which a bundle was pushed.

    Attributes:
        commit, branch, remote: as git told; the remote without credentials.
        dirty: whether there were uncommitted changes: then the commit alone may not be the code.
    """

    commit: str
    branch: str | None = None
    remote: str | None = None
    dirty: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document that is stored."""
        return asdict(self)

    def describe(self) -> str:
        """In a few words: "3f2a9c1d0b5e on main, https://git.example.org/team/churn"."""
        words = self.commit[:12] + (f" on {self.branch}" if self.branch else "")
        words += f", {self.remote}" if self.remote else ""
        return words + (", with uncommitted changes" if self.dirty else "")


def find_code_source(root: Path | None) -> CodeSource | None:
    """What git says of the project's folder; None where there is no commit or no git."""
    if root is None or find_repository(root) is None:
        return None
    state = GitQuestion(root, untracked=False).answer()
    if state.commit is None:
        return None
    return CodeSource(state.commit, state.branch, state.remote, bool(state.changed))


def source_location(code_digest: str) -> str:
    """Where the note lies in the artifact store: beside the bundle."""
    return f"code/{code_digest.partition(':')[2]}.source.json"


def save_code_source(artifacts: ArtifactStore, code_digest: str, source: CodeSource | None) -> None:
    """Note where a bundle comes from, unless a clean commit is noted already: the first one that has the code."""
    if source is None:
        return
    known = load_code_source(artifacts, code_digest)
    if known is None or (known.dirty and not source.dirty):
        artifacts.write_bytes(source_location(code_digest), json.dumps(source.to_json()).encode())


def load_code_source(artifacts: ArtifactStore, code_digest: str) -> CodeSource | None:
    """What was noted of a bundle; None where nothing was, or it cannot be read as such. Raises StoreError."""
    location = source_location(code_digest)
    if not artifacts.exists(location):
        return None
    try:
        return CodeSource(**json.loads(artifacts.read_bytes(location)))
    except (ValueError, TypeError):
        return None
