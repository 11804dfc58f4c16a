"""Names this process so that others on the same machine can tell whether it is still there."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def worker_name() -> str:
    """This process, as `HOST/BOOT/PROCESS-SPACE PID START`; only the host and the pid where there is no /proc."""
    return _name_of(os.getpid())


def is_gone(worker: str) -> bool:
    """Whether the process of this name certainly is no more; False for one of another machine or container."""
    machine, _, process = worker.partition(" ")
    pid, _, start = process.partition(" ")
    if machine != _machine() or not pid.isdigit() or not start:
        return False
    return _start_of(int(pid)) != start


@cache  # by process, since a fork inherits what is cached here
def _name_of(pid: int) -> str:
    return f"{_machine()} {pid} {_start_of(pid)}"


@cache
def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot}/{space}"


def _start_of(pid: int) -> str:
    """When the process began, in the kernel's ticks: tells it from a later one of the same number. "" if it is gone."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
