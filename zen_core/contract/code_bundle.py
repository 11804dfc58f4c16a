"""The code bundle's identity, for the compiler that writes it and the task that checks it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from zen_core.contract.canonical import digest_json


def code_digest(content_by_name: Mapping[str, bytes]) -> str:
    """The digest of a bundle: over names and contents, not over the archive's bytes."""
    return digest_of_files({name: hashlib.sha256(content).hexdigest() for name, content in content_by_name.items()})


def digest_of_files(sha256_by_name: Mapping[str, str]) -> str:
    """The same, where the contents' own digests are known."""
    return digest_json("code", dict(sha256_by_name))
