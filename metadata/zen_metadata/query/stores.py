"""The two stores, opened for reading."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.contract.settings import Settings, without_credentials
from zen_core.errors import NotFoundError, StoreError
from zen_metadata.lineage.records import ArtifactRecord

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.lineage.store import LineageStore

_SQLITE_PREFIX = "sqlite:///"


@dataclass(frozen=True)
class ReadStores:
    """The lineage store, and the artifact store, each opened when it is first needed.

    Raises, on first use, NotFoundError where a project has no store yet and StoreUnavailableError where one
    cannot be reached.
    """

    settings: Settings

    @cached_property
    def lineage(self) -> LineageStore:
        """The lineage store; it must exist."""
        from zen_metadata.lineage.sql import open_lineage_store

        url = self.settings.lineage_url
        if url.startswith(_SQLITE_PREFIX) and not Path(url.removeprefix(_SQLITE_PREFIX)).exists():
            raise NotFoundError(
                f"project {self.settings.project!r} has no runs yet",
                where=url.removeprefix(_SQLITE_PREFIX),
                hint=self.hint_with_spool("zen run PIPELINE makes the first one; -C DIR reads another project"),
            )
        store: LineageStore = open_lineage_store(url, create=False, openlineage=self.settings.openlineage)
        return store

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The artifact store."""
        from zen_metadata.artifacts.store import ArtifactStore

        return ArtifactStore(self.settings.artifact_url, allow_pickle=self.settings.allow_pickle)

    def hint_with_spool(self, hint: str) -> str:
        """What to do where a run is not known; first of all `zen sync`, where facts wait in the spool."""
        from zen_metadata.shim.spool import describe_spool

        try:
            waiting = describe_spool(self.artifacts).waiting
        except StoreError:  # the error that this is a part of says enough
            return hint
        if not waiting:
            return hint
        facts = "1 fact that waits" if waiting == 1 else f"{waiting} facts that wait"
        return f"zen sync records {facts} in the spool since the lineage store was away; else: {hint}"

    def close(self) -> None:
        """Close what was opened. A later question opens it again."""
        store = self.__dict__.pop("lineage", None)
        if store is not None:
            store.close()

    def load(self, record: ArtifactRecord, *, into: Any = None) -> Any:
        """The value of an artifact. A file's content stays on this machine until the process ends."""
        return self.artifacts.load(record, into=into, scratch=Path(tempfile.mkdtemp(dir=_process_folder())))

    def read_log(self, location: str) -> str:
        """What a step printed."""
        return self.artifacts.read_bytes(location).decode("utf-8", "replace")

    def artifact_uri(self, record: ArtifactRecord) -> str:
        """Where the bytes of an artifact lie, as it may be shown.

        For a source file, where it was read from.
        """
        base = self.settings.data_root if record.kind == "source" else self.settings.artifact_url
        if record.kind == "source" and ("://" in record.location or Path(record.location).is_absolute()):
            return without_credentials(record.location)
        return without_credentials(f"{base.rstrip('/')}/{record.location}")


@cache
def _process_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="zen-client-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
