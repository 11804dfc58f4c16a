"""The cache key: what makes two executions of a step the same work.

Neither pipeline, step name nor map index is part of it, so that the same work is found wherever it was done. The
parts are kept beside the key, so that a miss can be explained part by part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from zen_core.contract.canonical import digest_json


@dataclass(frozen=True, slots=True)
class CacheKey:
    """The key and the digests it is made of, by part name: `code`, `input:PORT`, `output:NAME`, `package:NAME`, …"""

    key: str
    parts: Mapping[str, str]


def compute_cache_key(
    *,
    code: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    packages: Mapping[str, str],
    all_packages: str = "",
    files: Mapping[str, str],
    environment: Mapping[str, str | None],
    salt: str = "",
) -> CacheKey:
    """The key over all parts.

    Args:
        code: the code fingerprint's digest.
        inputs: the value's digest of each input.
        outputs: the declared type of each output.
        packages: the version of each package that the step's code imports.
        all_packages: the digest of all installed packages with their versions, where every one of them counts.
        files: the content digest of each file that the step declares to read.
        environment: the value of each environment variable that the step declares to read (None: it is not set); only
            its digest is kept.
        salt: the user's own part.
    """
    parts = {"code": code}
    parts.update((f"input:{name}", digest) for name, digest in inputs.items())
    parts.update((f"output:{name}", _digest_of_output(text)) for name, text in outputs.items())
    parts.update((f"package:{name}", version) for name, version in packages.items())
    if all_packages:
        parts["packages"] = all_packages
    parts.update((f"file:{name}", digest) for name, digest in files.items())
    parts.update((f"env:{name}", digest_json("env", value)) for name, value in environment.items())
    if salt:
        parts["salt"] = digest_json("salt", salt)
    return CacheKey(digest_json("cache-key", parts), dict(sorted(parts.items())))


@lru_cache(maxsize=1024)  # a pipeline declares few types, and computes a key for each of its many step runs
def _digest_of_output(text: str) -> str:
    return digest_json("output", text)
