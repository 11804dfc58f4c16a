"""Another process that reads modules while this one follows names, where a large project is read for the first time.

It is handed modules, each as a line of JSON, and answers each with a line: the identity of its text, a tab, and what
was read of it. What it has not answered when it is needed, this process reads by itself.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from importlib.util import decode_source
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import zen_core
from zen_core.compiler.code.index_text import to_text
from zen_core.compiler.code.modules import Module
from zen_core.contract.source_code import many_syntax_trees

_AT_ONCE, _CHARACTERS_AT_ONCE = 6, 100_000
"""What it is handed before it has answered: as much as it reads while this process does not look."""
_LONGEST_SECONDS = 5
_BLOCK = 1 << 20
_COMMAND = "import sys; sys.path.append(sys.argv[1]); from zen_core.compiler.code.read_ahead import main; main()"


class Unread(NamedTuple):
    """A module that may be read: how many characters it has, its name, whether it is a package, and its file."""

    size: int
    name: str
    is_package: bool
    path: Path


def may_read_ahead() -> bool:
    """Whether another process can be started here, and would have a processor of its own."""
    is_python = Path(sys.executable or "").name.startswith("python")  # not a server that Python is a part of
    of_this_process = getattr(os, "sched_getaffinity", None)  # not on macOS
    processors = len(of_this_process(0)) if of_this_process is not None else os.cpu_count() or 1
    return os.name == "posix" and is_python and processors > 1


class ReadAhead:
    """Starts that process. Raises OSError where it cannot be started."""

    def __init__(self, modules: Iterable[Unread]) -> None:
        # Nothing of this process's own: neither what its folder or site-packages hold, nor bytecode that it leaves.
        command = [sys.executable, "-PSB", "-c", _COMMAND, str(Path(zen_core.__file__).parents[1])]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)
        self._waiting: dict[str, Unread] = {}
        self._by_size: list[tuple[int, int, str]] = []
        self._handed: deque[Unread] = deque()
        self._answered: dict[str, str] = {}
        self._unfinished = b""
        self._has_begun = False
        self._is_over = False
        self.add(modules)

    def add(self, modules: Iterable[Unread]) -> None:
        """Name modules that may be asked for."""
        # The largest first, in no order in which they are asked for: else both processes read the same ones.
        for module in modules:
            self._waiting[module.name] = module
            heappush(self._by_size, (-module.size.bit_length(), crc32(module.name.encode()), module.name))
        self._hand_out()

    def take(self, name: str) -> tuple[str, str] | None:
        """The identity of a module's text, and what was read of it, as text; None if it is to be read here."""
        self._receive(name)
        self._waiting.pop(name, None)
        self._hand_out()
        identity, _, text = self._answered.pop(name, "").partition("\t")
        return (identity, text) if text else None

    def close(self) -> None:
        """End it."""
        self._give_up()
        self._selector.close()
        with self._process:  # closes the pipes, and waits
            self._process.kill()

    def _give_up(self) -> None:
        self._is_over = True
        self._waiting.clear()
        self._handed.clear()

    def _hand_out(self) -> None:
        """Hand it some, as long as it has little to do."""
        while self._by_size and not self._is_over and self._has_little_to_do():
            module = self._waiting.pop(heappop(self._by_size)[2], None)
            if module is None:
                continue
            self._handed.append(module)
            request = json.dumps([module.name, module.is_package, str(module.path)])
            try:
                self._requests.write(f"{request}\n".encode())
            except OSError:  # it is gone
                self._give_up()

    def _has_little_to_do(self) -> bool:
        count = len(self._handed)
        return count < 2 or (count < _AT_ONCE and sum(module.size for module in self._handed) < _CHARACTERS_AT_ONCE)

    def _receive(self, name: str) -> None:
        """Take what it has answered; wait for it if it is reading this module."""
        while not self._is_over:
            is_reading_it = self._has_begun and bool(self._handed) and self._handed[0].name == name
            if not self._selector.select(_LONGEST_SECONDS if is_reading_it else 0):
                if is_reading_it:
                    self._give_up()
                return
            data = self._answers.read(_BLOCK)
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            if not data or len(lines) > len(self._handed):
                self._give_up()
                return
            self._has_begun = True
            for line in lines:
                self._answered[self._handed.popleft().name] = line.decode(errors="replace")


def main() -> None:
    """What that process does."""
    with many_syntax_trees():
        for request in sys.stdin:
            print(_answer(*json.loads(request)), flush=True)


def _answer(name: str, is_package: bool, path: str) -> str:
    """What is kept of a module; "" for what cannot be read or parsed here: the other process may have other limits."""
    try:
        module = Module(name, "", decode_source(Path(path).read_bytes()), is_package=is_package)
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""
    return "" if module.is_broken else f"{module.identity}\t{to_text(module.index)}"
