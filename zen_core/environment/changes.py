"""What is not committed, as one patch that can be kept: limited in size, without secrets, without volatile files."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zen_core.contract.secret_files import is_secret_file
from zen_core.environment.git import GitQuestion, GitState

LARGEST_FILE_BYTES = 200_000
"""Of one file's changes; more of it is not recorded, and told."""
LARGEST_PATCH_BYTES = 1_000_000
_LARGEST_CHANGED_FILE_BYTES = 5_000_000
_CODE = (
    ".py", ".pyi", ".pyx", ".sql", ".sh", ".r", ".jl", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".j2", ".jinja",
)  # fmt: skip
_NOT_CODE = frozenset({"__pycache__", "node_modules", "site-packages"})
_EMITTED = re.compile(rb'\A(?:"""|#)[^\n]*emitted by Zen \d')
_SECTION = re.compile(r"^(?=diff --git )", re.MULTILINE)
_INDEX_LINE = re.compile(r"^index .*\n", re.MULTILINE)
_SECTION_FILE = re.compile(r'diff --git "?a/(.+?)"? "?b/\1"?$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Patch:
    """Uncommitted changes.

    Attributes:
        text: a patch relative to the project's folder; `git apply` takes it, unless something is masked.
        left_out: files whose changes it lacks, each with the reason.
        masked: whether something in it stands as `***`.
        problem: why it could not be made, "" when it could.
    """

    text: str = ""
    left_out: tuple[dict[str, str], ...] = ()
    masked: bool = False
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """The part of a snapshot: `dirty` and `diff`, and further keys where there is something to tell."""
        document: dict[str, Any] = {"dirty": bool(self.text or self.left_out or self.problem), "diff": self.text}
        if self.left_out:
            document["left_out"] = [dict(item) for item in self.left_out]
        if self.masked:
            document["masked"] = True
        return {**document, "problem": self.problem} if self.problem else document


def make_patch(
    folder: Path, question: GitQuestion, state: GitState, *, mask: Callable[[str], str] | None = None
) -> Patch:
    """The changes of tracked files, and the untracked files that are code.

    Args:
        mask: replaces secrets that are known by their value.
    """
    left_out = list(_find_unwanted(folder, state.changed))
    without = [item["file"] for item in left_out]
    text, problem = "", ""
    if len(without) < len(state.changed):
        text, problem = question.diff(state, without=without)
    sections = [(_file_of(part), part) for part in _SECTION.split(text) if part]
    sections += _new_files(folder, _untracked_code(state.untracked), left_out)
    if sections:
        from zen_core.environment.redaction import redact  # its patterns take a while to be compiled
    kept, masked, size = [], False, 0
    for file, section in sections:
        length = len(section.encode("utf-8", "replace"))
        if reason := _too_large(length, size):
            # The digest tells a later change of it from none.
            digest = hashlib.sha256(section.encode("utf-8", "replace")).hexdigest()
            left_out.append({"file": file, "reason": reason, "digest": f"sha256:{digest}"})
            continue
        shown = redact(section, mask=mask, file=file)
        if shown != section:
            masked = True
            shown = _INDEX_LINE.sub("", shown, count=1)  # a digest of the text with the secret
        kept.append(shown)
        size += length
    return Patch("".join(kept), tuple(sorted(left_out, key=lambda item: item["file"])), masked, problem)


def files_of(patch: str) -> dict[str, str]:
    """The changes of each file in a patch, by the file's path."""
    return {_file_of(part): part for part in _SECTION.split(patch) if part}


def _too_large(size: int, before: int) -> str:
    if size > LARGEST_FILE_BYTES:
        return f"{_kilobytes(size)} of changes, and at most {_kilobytes(LARGEST_FILE_BYTES)} of a file are recorded"
    if before + size > LARGEST_PATCH_BYTES:
        return f"{_kilobytes(size)} of changes, beyond the {_kilobytes(LARGEST_PATCH_BYTES)} that are recorded in all"
    return ""


def _kilobytes(size: int) -> str:
    return f"{max(1, round(size / 1000))} kB"


def _file_of(section: str) -> str:
    found = _SECTION_FILE.match(section)
    return found[1] if found else section.partition("\n")[0].removeprefix("diff --git ")


def _find_unwanted(folder: Path, files: Iterable[str]) -> Iterator[dict[str, str]]:
    for file in files:
        if _is_secret(PurePosixPath(file)):
            yield {"file": file, "reason": "its name says that it holds a secret"}
            continue
        try:
            facts = (folder / file).lstat()
        except OSError:  # it was removed, which the patch says
            continue
        if stat.S_ISREG(facts.st_mode) and facts.st_size > _LARGEST_CHANGED_FILE_BYTES:
            yield {"file": file, "reason": f"a file of {_kilobytes(facts.st_size)}"}


def _is_secret(path: PurePosixPath) -> bool:
    return any(is_secret_file(part) for part in path.parts)


# -- files that git does not track ------------------------------------------------------------------------------


def _untracked_code(files: Sequence[str]) -> Iterator[str]:
    """Those that are code: not what a virtual environment or a build made, not what is hidden, no data."""
    environments = tuple(file.removesuffix("pyvenv.cfg") for file in files if PurePosixPath(file).name == "pyvenv.cfg")
    for file in files:
        path = PurePosixPath(file)
        hidden = any(part.startswith(".") or part in _NOT_CODE or part.endswith(".egg-info") for part in path.parts)
        if path.suffix.lower() in _CODE and not hidden and not file.startswith(environments) and not _is_secret(path):
            yield file


def _new_files(folder: Path, files: Iterable[str], left_out: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """New files as patches, until there is more of them than is kept; why others are left out goes into `left_out`."""
    size, waiting = 0, list(reversed(list(files)))
    while waiting and size <= LARGEST_PATCH_BYTES:
        file = waiting.pop()
        try:
            facts = (folder / file).lstat()
            if not file.isprintable() or '"' in file or "\\" in file:
                left_out.append({"file": file, "reason": "its name would have to be quoted"})
            elif not stat.S_ISREG(facts.st_mode):
                left_out.append({"file": file, "reason": "no regular file"})
            elif facts.st_size > LARGEST_FILE_BYTES:
                left_out.append({"file": file, "reason": f"a new file of {_kilobytes(facts.st_size)}"})
            elif not _EMITTED.match(content := (folder / file).read_bytes()):
                size += len(content)
                yield file, _as_patch(file, content.decode("utf-8"), executable=bool(facts.st_mode & stat.S_IXUSR))
        except OSError as error:
            left_out.append({"file": file, "reason": f"it cannot be read: {os.strerror(error.errno or 0)}"})
        except UnicodeDecodeError:
            left_out.append({"file": file, "reason": "it is no text in UTF-8"})
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        left_out.append({"file": waiting[-1] + more, "reason": "new files beyond what is recorded in all"})


def _as_patch(file: str, text: str, *, executable: bool) -> str:
    mode = "100755" if executable else "100644"
    head = f"diff --git a/{file} b/{file}\nnew file mode {mode}\n"
    if not text:
        return head
    lines = text.split("\n")
    whole = lines[-1] == ""
    lines = lines[:-1] if whole else lines
    count = "" if len(lines) == 1 else f",{len(lines)}"
    body = "".join(f"+{line}\n" for line in lines) + ("" if whole else "\\ No newline at end of file\n")
    return f"{head}--- /dev/null\n+++ b/{file}\n@@ -0,0 +1{count} @@\n{body}"
