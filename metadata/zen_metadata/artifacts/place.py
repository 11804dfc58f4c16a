"""The place of an artifact store: its root, with what the root raises told in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zen_core.contract.settings import without_credentials
from zen_core.errors import ArtifactIntegrityError, ArtifactMissingError, StoreError, ZenError
from zen_metadata.artifacts.damage import was_set_aside
from zen_metadata.artifacts.failures import MAKE_AGAIN
from zen_metadata.artifacts.filesystems import failure_of, is_bucket_missing, is_local, local_part
from zen_metadata.artifacts.remote_root import RemoteRoot
from zen_metadata.artifacts.roots import LocalRoot, Root

OBJECTS_FOLDER = "objects"


class Place:
    """Where a store keeps its bytes.

    Raises:
        StoreError: the URL's scheme is unknown, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.is_local = is_local(url)
        self.url = local_part(url) if self.is_local else url.rstrip("/")
        self.root: Root = LocalRoot(self.url) if self.is_local else RemoteRoot(self.url)

    def show(self, location: str) -> str:
        """The address of a location, as messages name it."""
        return f"{without_credentials(self.url)}/{location}"

    def missing(self, location: str, shown: str) -> StoreError:
        """The error for bytes that are not where they should be."""
        where = self.show(location)
        with self.doing("look for an artifact", location):
            damaged = location.startswith(OBJECTS_FOLDER) and was_set_aside(self.root, location)
        if damaged:
            return ArtifactIntegrityError(
                f"the bytes of {shown} were damaged, and nobody has stored them anew", where=where, hint=MAKE_AGAIN
            )
        return ArtifactMissingError(f"the bytes of {shown} are gone", where=where, hint=MAKE_AGAIN)

    @contextmanager
    def doing(self, action: str, location: str, shown: str = "") -> Iterator[None]:
        """Tell in words what the file system raises; `shown` names what should be there, where something should."""
        try:
            yield
        except FileNotFoundError as error:
            if not shown or is_bucket_missing(error):
                raise failure_of(error, action, where=self.show(location)) from error
            raise self.missing(location, shown) from error
        except ZenError:
            raise
        except Exception as error:
            raise failure_of(error, action, where=self.show(location)) from error


def checked(location: str) -> str:
    """The location, if it lies below the root. Raises StoreError for one that could lie elsewhere."""
    parts = location.split("/")
    if ":" in location or "\\" in location or "\0" in location or any(part in ("", ".", "..") for part in parts):
        raise StoreError(
            f"the location {without_credentials(location)!r} does not lie in the artifact store",
            hint="an artifact's location is a path below the store's root; the record was altered",
        )
    return location
