"""Did you mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, or "" when none is near."""
    close = difflib.get_close_matches(word, list(known), n=3)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""
