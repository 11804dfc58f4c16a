"""Large values pass through in pieces: what storing and loading one takes does not grow with its size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = r"""
import re, sys
from pathlib import Path
import numpy as np
from zen_metadata.artifacts import ArtifactStore

def peak():  # not getrusage, whose peak a process inherits from the one that started it
    return int(re.search("VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])

kind, folder = sys.argv[1], Path(sys.argv[2])
store, scratch = ArtifactStore(str(folder / "store")), folder / "scratch"
if kind == "array":
    value = np.ones(SIZE // 8)
elif kind == "bytes":
    value = bytes(b"1") * SIZE
else:
    value = folder / "value"
    paths = [value] if kind == "file" else [value / "one", value / "two"]
    if kind == "folder":
        value.mkdir()
    for path in paths:
        with path.open("wb") as stream:
            stream.truncate(SIZE // len(paths))
store.save(np.ones(3), scratch=scratch)
store.save(b"small" * 20_000, scratch=scratch)
before = peak()
stored = store.save(value, scratch=scratch)
if kind in ("file", "folder"):
    store.load(stored, into=Path, scratch=scratch)
assert stored.size_bytes >= SIZE
print((peak() - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", ["array", "bytes", "file", "folder"])
def test_memory_does_not_grow_with_what_is_stored(kind: str, tmp_path: Path) -> None:
    program = PROGRAM.replace("SIZE", str(256 << 20))
    done = subprocess.run(
        [sys.executable, "-c", program, kind, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 48
