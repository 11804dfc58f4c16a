"""What storing a large value costs beside the bare work: reading it, hashing it with the same digest, writing it.

In a folder and in an S3 bucket (moto's server on this machine, which takes more time than the network would).
`python -m benchmarks artifacts`; ZEN_BENCH_MIB sets the size, a gibibyte by default.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.report import Figure
from zen_metadata.artifacts.store import ArtifactStore

SUBJECT = "artifacts"
MIB = 1 << 20
REPETITIONS = 3
BUDGET = 1 / 0.7
"""At least 70 % of the speed of the bare work."""


def measure() -> list[Figure]:
    """Ratios of wall time, each of two things that were measured by turns."""
    mib = int(os.environ.get("ZEN_BENCH_MIB", "1024"))
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        values = _make_values(Path(folder), mib)
        figures = [figure for name, value in values.items() for figure in _in_folder(name, value, Path(folder), mib)]
        return [*figures, *_in_bucket(values["array"], Path(folder), mib)]


def _make_values(folder: Path, mib: int) -> dict[str, Any]:
    import numpy as np

    array = np.random.default_rng(0).random(mib * MIB // 8)
    file, parts = folder / "file.bin", folder / "parts"
    file.write_bytes(array.data)
    parts.mkdir()
    for number, part in enumerate(np.array_split(array, 16)):
        (parts / f"part-{number}").write_bytes(part.data)
    return {"array": array, "bytes": array.tobytes(), "file": file, "folder of 16 files": parts}


def _in_folder(name: str, value: Any, folder: Path, mib: int) -> list[Figure]:
    bare, saved, again, loaded = [], [], [], []
    for _ in range(REPETITIONS):
        target, at = folder / "copy", folder / "store"
        bare.append(_seconds(lambda: _copy_and_hash(value, target)))  # noqa: B023 - called at once
        store = ArtifactStore(str(at))
        saved.append(_seconds(lambda: store.save(value, scratch=folder / "scratch")))  # noqa: B023
        written = _written_below(at)
        stored = store.save(value, scratch=folder / "scratch")
        again.append(_seconds(lambda: store.save(value, scratch=folder / "scratch")))  # noqa: B023
        if _written_below(at) != written:
            raise RuntimeError("content that is there was written again")
        loaded.append(_seconds(lambda: store.load(stored, scratch=folder / "scratch")))  # noqa: B023
        for path in (at, folder / "scratch"):
            shutil.rmtree(path, ignore_errors=True)
        target.unlink()
    what = f"{name} of {mib:,} MiB"
    return [
        Figure(f"store {what}, to bare copy+hash", min(saved) / min(bare), "x", BUDGET),
        Figure(f"store {what} again, to bare copy+hash", min(again) / min(bare), "x"),
        Figure(f"load {what}, to bare copy+hash", min(loaded) / min(bare), "x"),
    ]


def _in_bucket(value: Any, folder: Path, mib: int) -> list[Figure]:
    """Against s3fs alone, which sends the same file in the same parts, and the hash."""
    try:
        import moto.server  # noqa: F401
        import s3fs
    except ImportError:
        return []
    with _s3_server(folder) as variables:
        os.environ.update(variables)
        client = s3fs.S3FileSystem(max_concurrency=4)
        client.mkdir("bench")
        source = folder / "file.bin"
        bare, saved = [], []
        for _ in range(REPETITIONS):
            bare.append(_seconds(lambda: _hash_and_send(client, source)))
            store = ArtifactStore(f"s3://bench/{uuid.uuid4().hex}")
            saved.append(_seconds(lambda: store.save(value, scratch=folder / "scratch")))  # noqa: B023
            client.invalidate_cache()
            client.rm(client.find("bench"))
        grown = _memory_grown(source, folder / "scratch")
    what = f"of {mib:,} MiB in S3 (moto)"
    return [
        Figure(f"store array {what}, to bare s3fs+hash", min(saved) / min(bare), "x", BUDGET),
        Figure(f"memory taken to store and load a file {what}", grown, "MiB", 192),
    ]


def _memory_grown(source: Path, scratch: Path) -> float:
    """How many MiB more a process of its own has in memory at the most, once the driver is at work."""
    command = [sys.executable, "-c", _STORE_AND_LOAD, str(source), str(scratch)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


_STORE_AND_LOAD = r"""
import re, sys
from pathlib import Path
from zen_metadata.artifacts import ArtifactStore

def peak():  # not getrusage, whose peak a process inherits from the one that started it
    return int(re.search("VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])

store, scratch = ArtifactStore("s3://bench/memory"), Path(sys.argv[2])
store.load(store.save(b"small" * 1000, scratch=scratch), scratch=scratch)
before = peak()
store.load(store.save(Path(sys.argv[1]), scratch=scratch), into=Path, scratch=scratch)
print((peak() - before) / 1024)
"""


def _hash_and_send(client: Any, source: Path) -> None:
    with source.open("rb") as stream:
        hashlib.file_digest(stream, "sha256")
    client.put_file(str(source), f"bench/{uuid.uuid4().hex}", chunksize=8 * MIB)


@contextmanager
def _s3_server(folder: Path) -> Iterator[dict[str, str]]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not _answers(url) and time.monotonic() < deadline:
            time.sleep(0.1)
        keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
        yield {"AWS_ENDPOINT_URL": url, **keys}
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/moto-api/data.json", timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


def _copy_and_hash(value: Any, target: Path) -> None:
    """One pass: each piece is hashed and written while it is in the processor's cache."""
    hasher = hashlib.sha256()
    with target.open("wb", buffering=0) as output:
        for piece in _pieces(value):
            hasher.update(piece)
            output.write(piece)


def _pieces(value: Any) -> Iterator[memoryview]:
    if not isinstance(value, Path):
        view = memoryview(value).cast("B")
        yield from (view[start : start + MIB] for start in range(0, len(view), MIB))
        return
    buffer = memoryview(bytearray(MIB))
    for path in sorted(value.iterdir()) if value.is_dir() else [value]:
        with path.open("rb", buffering=0) as stream:
            while count := stream.readinto(buffer):
                yield buffer[:count]


def _written_below(folder: Path) -> set[tuple[str, int, int]]:
    return {
        (str(path), path.stat().st_ino, path.stat().st_size)
        for path in (folder / "objects").rglob("*")
        if path.is_file()
    }


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
