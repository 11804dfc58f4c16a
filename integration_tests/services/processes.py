"""Starts servers in sessions of their own and stops them with everything they started.

A server that forks (a scheduler, a web server) leaves its children behind when only its own process is
ended, and a task of a scheduler leads a process group of its own. So each server leads a session, and all
processes of the session are ended.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class ServiceError(RuntimeError):
    """A server did not start, did not answer in time, or refused; the message holds the end of its log."""


class Server:
    """One server process, its session and its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the session."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's own process is still there."""
        return self.process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], timeout: float) -> None:
        """Wait until the server answers; fail at once when its process ends."""

        def answers() -> bool:
            if not self.is_running:
                raise ServiceError(f"{self.name} ended with code {self.process.returncode}.\n{self.tail()}")
            return is_ready()

        try:
            wait_until(answers, timeout, what=f"{self.name} to be ready")
        except TimeoutError as error:
            raise ServiceError(f"{error}\n{self.tail()}") from None

    def kill(self) -> None:
        """End all processes of the session at once, as a machine that dies would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        while members := session_members(self.pid):  # again, for what was forked meanwhile
            for member in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
            time.sleep(0.02)
        self.process.wait()

    def stop(self, timeout: float = 20) -> None:
        """Ask the server to end, and after `timeout` seconds end what is left of its session."""
        if self.is_running:
            self.process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.kill()

    def tail(self, lines: int = 40) -> str:
        """The end of the log, to be read in an error."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- the end of {self.log} ---", *text])


def session_members(leader: int) -> list[int]:
    """The live processes of a session, as Linux tells them; elsewhere none."""
    members = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = file.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                members.append(int(file.parent.name))
    return members


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], timeout: float, *, what: str, interval: float = 0.2) -> None:
    """Poll `condition` until it holds; TimeoutError names what was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:.0f} s for {what}")
        time.sleep(interval)
