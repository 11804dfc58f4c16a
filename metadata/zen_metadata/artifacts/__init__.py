"""The artifact store: content-addressed bytes over fsspec, and the serializers that make them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_metadata.artifacts.digests import digest_object
    from zen_metadata.artifacts.serializers import Serializer, register
    from zen_metadata.artifacts.store import ArtifactStore, StoredArtifact

_HOME_BY_NAME = {
    "ArtifactStore": "zen_metadata.artifacts.store",
    "Serializer": "zen_metadata.artifacts.serializers",
    "StoredArtifact": "zen_metadata.artifacts.store",
    "digest_object": "zen_metadata.artifacts.digests",
    "register": "zen_metadata.artifacts.serializers",
}

__all__ = ["ArtifactStore", "Serializer", "StoredArtifact", "digest_object", "register"]


def __getattr__(name: str) -> Any:
    home = _HOME_BY_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
