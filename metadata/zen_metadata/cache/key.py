"""Gathers what goes into the cache key of a step run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from zen_core.contract.cache_key import CacheKey, compute_cache_key
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import StepManifest
from zen_core.environment.packages import all_package_versions, package_versions

SERIALIZERS_VERSION = 1
"""Raised when a serializer of Zen's own writes another form: what was stored before is then made again."""


def step_cache_key(
    step: StepManifest,
    input_digests: Mapping[str, str],
    digest_of_file: Callable[[str], str],
    *,
    root: Path | None = None,
) -> CacheKey:
    """The key of one step run.

    Args:
        input_digests: the value's digest of each input.
        digest_of_file: gives the content's digest of a file that `Cache(files=...)` declares.
        root: the project's folder, whose own packages count by the fingerprint.
    """
    imports = step.fingerprint.imports if step.cache.packages == "imported" else ()
    return compute_cache_key(
        code=step.fingerprint.digest,
        inputs=input_digests,
        outputs={output.name: f"{output.type} {SERIALIZERS_VERSION}" for output in step.outputs},
        packages=package_versions(imports) if imports else {},
        all_packages=_digest_of_packages(root) if step.cache.packages == "all" else "",
        files={reference: digest_of_file(reference) for reference in step.cache.files},
        environment={name: os.environ.get(name) for name in step.cache.env},
        salt=step.cache.salt,
    )


@cache
def _digest_of_packages(root: Path | None) -> str:
    """Of every installed package: one part of the key, since the environment's snapshot tells which they are."""
    return digest_json("packages", all_package_versions(root))
