"""Follows a how-to page as a reader does: types its commands, in order, in one shell, and writes its settings file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def follow(
    page: str,
    folder: Path,
    *,
    instead: Mapping[str, str],
    environment: Mapping[str, str],
    after: Mapping[str, Callable[[], None]],
    timeout: float = 180,
) -> str:
    """Type every command of a page, and answer with all that was printed.

    `console` blocks are typed into one shell per block, whose exports last; a `toml` block is the new zen.toml. Fails
    at the first command that fails.

    Args:
        page: its name in docs/how-to.
        folder: the project that the reader has.
        instead: what stands for the page's example addresses and folders here.
        after: what a reader waits for, by a part of the command that it follows.
    """
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    for example, real in instead.items():
        assert example in text, f"{page} no longer names {example}"
        text = text.replace(example, real)
    variables, printed = dict(environment), ""
    for kind, block in _BLOCK.findall(text):
        if kind == "toml":
            (folder / "zen.toml").write_text(block, encoding="utf-8")
            continue
        for command in re.findall(r"^\$ (.+)$", block, re.MULTILINE):
            output, variables = _type(command, folder, variables, timeout)
            printed += f"$ {command}\n{output}"
            for part, wait in after.items():
                if part in command:
                    wait()
    return printed


def _type(command: str, folder: Path, variables: Mapping[str, str], timeout: float) -> tuple[str, dict[str, str]]:
    """What one command printed, and the environment after it."""
    script = f"set -e\n{command}\nenv -0 > .environment"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}\nended with {done.returncode}"
    entries = (folder / ".environment").read_text().split("\0")
    return done.stdout, dict(entry.split("=", 1) for entry in entries if "=" in entry)
