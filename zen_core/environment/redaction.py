"""Takes out of source text what looks like a secret: the uncommitted changes of a project are stored and shown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache

MASK = "***"
_SHORTEST_VALUE = 8

_NAME = r"(?:passwords?|passwd|pwd|passphrase|secrets?|tokens?|(?:api|access|private)[_-]?keys?|credentials?)"
_WORDS = ("pass", "pwd", "secret", "token", "key", "credential")
_SECRET_NAME = re.compile(rf"(?i)(?<![a-z]){_NAME}(?![a-z])")
# The word stands alone within the name: `API_TOKEN`, and not `tokenizer`. All repetitions are bounded: the text may be
# anything, and must not take long.
_NAMED = rf"(?<![A-Za-z]){_NAME}(?![A-Za-z])[\w.-]{{0,60}}"
_GAP = r"[ \t]{0,20}"
_QUOTED = re.compile(
    rf"""(?i)({_NAMED}["'\])]{{0,3}}{_GAP}(?::{_GAP}[\w.\[\], |]{{1,60}}=|[:=]){_GAP}[rbf]{{0,2}})"""
    r"""(["'])(?!\2)((?:\\.|(?!\2)[^\\\n])+)\2"""
)
# Without quotes only where there is no code to the right: settings files and shell scripts.
_BARE = re.compile(
    rf"(?im)^([+\- ]{_GAP}(?:export{_GAP})?[\w.-]{{0,60}}?{_NAMED}{_GAP}[:=]{_GAP})"
    rf"""([^\s"'#$(){{}}\[\],]{{4,}}){_GAP}$"""
)
_USER_INFO = re.compile(r"(?<=://)[^/\s:@'\"{}]{0,200}:[^@\s/'\"{}]{1,500}@")
_BEARER = re.compile(r"(?i)(\b(?:bearer|authorization\W{1,5}basic)[ \t]{1,5})[A-Za-z0-9._~+/=-]{16,}")
_KNOWN = re.compile(
    r"\b(?:A(?:KIA|SIA)[0-9A-Z]{16}"  # AWS
    r"|gh[a-z]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{18,}"  # GitHub, GitLab
    r"|xox[a-z]-[\w-]{10,}"  # Slack
    r"|sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|AIza[\w-]{35}"  # model providers, Google
    r"|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}"  # package indexes
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)"  # signed JSON
)
_BEGINNINGS = (
    "AKIA", "ASIA", "gh", "glpat-", "xox", "sk-", "hf_", "AIza", "npm_", "pypi-", "eyJ",
)  # fmt: skip
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?)(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def redact(text: str, *, mask: Callable[[str], str] | None = None, file: str = "") -> str:
    """The text with `***` for what looks like a secret: known forms of keys, passwords in addresses, what is assigned
    to a name such as `password` or `API_TOKEN`, and the values of this process's own variables of such names.

    Line breaks stay, so that a patch remains one.

    Args:
        mask: replaces secrets that are known by their value.
        file: the file that it comes from; in Python a name to the right of `password =` is code, and stays.
    """
    # A plain search is far faster than a pattern, and most files hold nothing of the kind.
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(lambda found: found[1] + _without_text(found[2]) + found[3], text)
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(f"{MASK}@", text)
    if any(beginning in text for beginning in _BEGINNINGS):
        text = _KNOWN.sub(MASK, text)
    lowered = text.lower()
    if "bearer" in lowered or "authorization" in lowered:
        text = _BEARER.sub(rf"\1{MASK}", text)
    if any(word in lowered for word in _WORDS):
        text = _QUOTED.sub(rf"\1\2{MASK}\2", text)
        if not file.endswith((".py", ".pyi", ".pyx")):
            text = _BARE.sub(rf"\1{MASK}", text)
    for value in _own_secrets(tuple(os.environ.items())):
        text = text.replace(value, MASK)
    return mask(text) if mask else text


def _without_text(lines: str) -> str:
    """A mask for each line, behind the sign that it has in a patch."""
    return "\n".join(
        f"{line[0] if line[0] in '+- ' else ''}{MASK}" if len(line) > 1 else line for line in lines.split("\n")
    )


@lru_cache(maxsize=1)
def _own_secrets(environ: tuple[tuple[str, str], ...]) -> list[str]:
    """Values of variables with telling names, the longest first, so that one within another leaves nothing."""
    values = {value for name, value in environ if len(value) >= _SHORTEST_VALUE and _SECRET_NAME.search(name)}
    return sorted(values, key=len, reverse=True)
