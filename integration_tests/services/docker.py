"""A Docker daemon of the tests' own, whose containers are this machine in small.

No image can be pulled where the tests run. So the image is empty, and a container sees the machine's own system
folders, Python and this checkout, all at their own places and read-only. Its Python is that of `.venvs/kfp`.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from integration_tests.services.processes import Server, ServiceError

ROOT = Path(__file__).resolve().parents[2]
PREFIX = ROOT / ".venvs" / "kfp"
IMAGE = "zen-steps:latest"
START_TIMEOUT = 60  # 1 s on an idle machine
_SYSTEM = ("bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr")
_EMPTY = ("dev", "proc", "root", "run", "sys", "tmp", "var/tmp")


class Docker:
    """A daemon with its own socket and data, which changes nothing of the machine's network."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._server: Server | None = None

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks, as a sentence part; None when it has all."""
        if shutil.which("dockerd") is None or shutil.which("docker") is None:
            return "needs docker: apt-get install docker.io"
        return None if os.geteuid() == 0 else "dockerd must be started as root"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def variables(self) -> Mapping[str, str]:
        """What a client's environment must have."""
        return {"DOCKER_HOST": f"unix://{self._home / 'docker.sock'}"}

    @property
    def mounts(self) -> list[str]:
        """The folders that a container needs, to be mounted at their own places, read-only."""
        python = Path(sys.base_prefix).resolve()
        return [*(f"/{name}" for name in _system_folders()), *map(str, _outermost([python, ROOT]))]

    def start(self) -> None:
        """Start the daemon and make the image."""
        self._folder = Path(tempfile.mkdtemp(prefix="zen-docker-"))
        home = self._home
        try:
            self._server = Server(
                "dockerd",
                [
                    *("dockerd", f"--host=unix://{home / 'docker.sock'}", f"--data-root={home / 'data'}"),
                    *(f"--exec-root={home / 'exec'}", f"--pidfile={home / 'docker.pid'}", "--storage-driver=overlay2"),
                    *(
                        "--bridge=none",
                        "--iptables=false",
                        "--ip6tables=false",
                        "--ip-forward=false",
                        "--ip-masq=false",
                    ),
                ],
                log=home / "dockerd.log",
            )
            self._server.wait_until(lambda: self._docker("version", check=False).returncode == 0, START_TIMEOUT)
            self._docker(
                "import", f"--change=ENV PATH={PREFIX / 'bin'}:/usr/bin:/bin", "-", IMAGE, content=_empty_image()
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the daemon with all containers, and remove its files."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def _home(self) -> Path:
        if self._folder is None:
            raise ServiceError("Docker is not started")
        return self._folder

    def _docker(self, *arguments: str, content: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.variables},
            input=content,
            capture_output=True,
            check=False,
        )
        if check and done.returncode:
            raise ServiceError(f"docker {arguments[0]} ended with {done.returncode}: {done.stderr.decode()}")
        return done


def _system_folders() -> list[str]:
    """The folders of the system that are there, and are no links to others."""
    return [name for name in _SYSTEM if Path("/", name).is_dir() and not Path("/", name).is_symlink()]


def _outermost(folders: list[Path]) -> list[Path]:
    """The folders that lie in no other one, nor in the system's."""
    known = [*(Path("/", name) for name in _system_folders()), *folders]
    return [path for path in folders if not any(path.is_relative_to(other) for other in known if other != path)]


def _empty_image() -> bytes:
    """A file system with empty folders, and the links among the system's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (*_system_folders(), *_EMPTY):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            archive.addfile(entry)
        for name in _SYSTEM:
            if Path("/", name).is_symlink():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(Path("/", name))
                archive.addfile(entry)
    return buffer.getvalue()
