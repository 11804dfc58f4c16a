"""A file as an input: its content is the identity, not its path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any


class File(os.PathLike[str]):
    """A file that a pipeline reads, or one that a step returns.

    As a pipeline's parameter, `File("data/churn.csv")` names a file below the data root (the project's folder when
    nothing else is set) or a URL that fsspec can open; the cache key holds the digest of its content. Inside a step
    it is a path: `open(file)`, `pd.read_csv(file)` and `file.path` all work, and the file is local by then. A step
    that returns `File("report.html")` has its content stored.

    Args:
        reference: a path relative to the data root, an absolute path, or a URL.
        local_path: where the content lies on this machine; set by Zen.
    """

    __slots__ = ("_local_path", "reference")

    def __init__(self, reference: str | os.PathLike[str], *, local_path: str | None = None) -> None:
        self.reference = os.fspath(reference)
        self._local_path = local_path

    @property
    def path(self) -> Path:
        """The local path of the content."""
        return Path(self._local_path or self.reference)

    def open(self, mode: str = "r", **options: Any) -> IO[Any]:
        """Open the content, as `open` does."""
        return self.path.open(mode, **options)

    def __fspath__(self) -> str:
        return str(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash((File, self.reference))

    def __repr__(self) -> str:
        return f"File({self.reference!r})"
