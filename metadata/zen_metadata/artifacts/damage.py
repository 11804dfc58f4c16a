"""Damaged bytes: put out of the way, so that they can be stored anew, and kept, so that somebody can look at them."""

from __future__ import annotations

import hashlib
import logging
import uuid
from typing import TYPE_CHECKING, Literal

from zen_metadata.artifacts.failures import describe
from zen_metadata.artifacts.roots import Root

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import StoredArtifact
    from zen_metadata.lineage.records import ArtifactRecord

ArtifactState = Literal["whole", "gone", "damaged"]
CORRUPT_FOLDER = "corrupt"

logger = logging.getLogger("zen")


def find_state(root: Root, record: ArtifactRecord | StoredArtifact) -> ArtifactState:
    """What `ArtifactStore.state_of` answers. Raises what the root raises."""
    location, size = record.location, record.size_bytes
    found = root.size(location)
    if found == size:
        return "whole"
    if found is None:
        return "damaged" if was_set_aside(root, location) else "gone"
    kept = set_aside(root, location, found)
    if root.size(location) == size:
        return "whole"
    logger.warning(
        "%s is damaged: it has %d bytes and had %d when it was stored%s. The step that made it runs again.",
        describe(record),
        found,
        size,
        f"; {kept}" if kept else "",
    )
    return "damaged"


def set_aside(root: Root, location: str, size_bytes: int) -> str:
    """Move what lies there to the folder of damaged bytes, unless it is what its address says.

    Returns what became of it, in words; "" where nothing had to be moved: another worker was quicker, or has stored
    the right bytes in their place meanwhile.
    """
    aside = f"{_folder_of(location)}/{uuid.uuid4().hex[:12]}"
    try:
        root.move(location, aside)
        # Looked at only now: before the move, another worker could still put the right bytes in their place.
        if _digest_at(root, aside, size_bytes) in location:
            root.move(aside, location)
            return ""
    except FileNotFoundError:
        return ""
    except Exception as error:
        logger.warning("damaged bytes could not be moved from %s: %s", location, type(error).__name__)
        return f"the damaged bytes are still at {location}"
    return f"the damaged bytes are kept as {aside}"


def was_set_aside(root: Root, location: str) -> bool:
    """Whether damaged bytes of this address are kept."""
    return bool(root.list(_folder_of(location)))


def _folder_of(location: str) -> str:
    return f"{CORRUPT_FOLDER}/{location.rpartition('/')[2]}"


def _digest_at(root: Root, location: str, size_bytes: int) -> str:
    with root.open(location, size_bytes) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
