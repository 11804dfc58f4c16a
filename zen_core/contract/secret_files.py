"""Files that by their name hold a secret: they are in no code bundle, and what changes in them is in no snapshot."""

from __future__ import annotations

from fnmatch import fnmatchcase

SECRET_FILES = (
    ".env*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_ed25519*",
    "credentials*",
    "service-account*.json",
    "kubeconfig",
    ".netrc",
    ".pypirc",
    ".pgpass",
)
"""Patterns of a file's or a folder's name."""


def is_secret_file(name: str) -> bool:
    """Whether a name says so, in whatever case it is written."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in SECRET_FILES)
