"""Who asks for a change, as far as this machine knows."""

from __future__ import annotations

import getpass
import os


def who_asks() -> str:
    """ZEN_USER where it is set, else the login name; "unknown" in a container whose user has none."""
    if name := os.environ.get("ZEN_USER", "").strip():
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
