"""What OpenLineage calls the artifacts and files of a run.

A file outside has the name that the specification gives to files of its store, so that it is the same dataset as for
whatever wrote it. An artifact is called after its name, not after where its bytes lie: each version is a version of
one dataset.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from zen_core.contract.settings import Settings, without_credentials
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.tracking.openlineage.facets import Facets

_SCHEME = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss"}


class Datasets:
    """Makes datasets of artifacts: one for each name, in the order of their names.

    Args:
        facets: makes their facets.
        settings: `data_root`, which relative files resolve against, and `artifact_url` count.
    """

    def __init__(self, facets: Facets, settings: Settings) -> None:
        self._facets = facets
        self._data_root = settings.data_root
        self._artifact_url = settings.artifact_url

    def inputs(self, records: Iterable[ArtifactRecord]) -> list[dict[str, Any]]:
        """What was read."""
        return [self._dataset(group) for group in _by_name(records)]

    def outputs(self, records: Iterable[ArtifactRecord], *, written: bool) -> list[dict[str, Any]]:
        """What was made.

        Args:
            written: whether it was made just now, and not taken from an earlier run.
        """
        datasets = []
        for group in _by_name(records):
            dataset = self._dataset(group)
            if written and len(group) == 1:
                dataset["outputFacets"] = {"outputStatistics": self._facets.statistics(group[0])}
            datasets.append(dataset)
        return datasets

    def _dataset(self, group: list[ArtifactRecord]) -> dict[str, Any]:
        record = group[-1]
        if record.kind == "source":
            namespace, name = name_of_file(_join(self._data_root, record.location))
            facets = {
                "version": self._facets.of_specification("DatasetVersionDatasetFacet", datasetVersion=record.digest)
            }
        else:
            namespace, name = f"zen://{record.project}", f"{record.pipeline}/{record.name}"
            uri = without_credentials(_join(self._artifact_url, record.location))
            facets = self._facets.of_artifact(record, uri, len(group))
        return {"namespace": namespace, "name": name, "facets": facets}


def name_of_file(address: str) -> tuple[str, str]:
    """Namespace and name of a file by the specification's rules: of local paths, s3, gs, abfss; others alike."""
    parts = urlsplit(address)
    if "://" not in address or parts.scheme in ("file", "local"):
        return "file", unquote(parts.path) if "://" in address else address
    scheme = _SCHEME.get(parts.scheme, parts.scheme)
    # Not urlsplit's path: a key may hold `?` and `#`.
    shown = address if scheme == "abfss" else without_credentials(address)  # there a container stands before the @
    host, _, path = shown.partition("://")[2].partition("/")
    return f"{scheme}://{host}", path or "/"


def _by_name(records: Iterable[ArtifactRecord]) -> list[list[ArtifactRecord]]:
    """Artifacts of one name together, the latest version last: a mapped step's elements, or several reads of one."""
    groups: dict[tuple[str, str, str], dict[str, ArtifactRecord]] = defaultdict(dict)
    for record in records:
        if record.kind != "internal":
            groups[record.kind, record.pipeline, record.name][record.artifact_id] = record
    return [
        sorted(group.values(), key=lambda record: (record.version or 0, record.artifact_id))
        for _, group in sorted(groups.items())
    ]


def _join(base: str, location: str) -> str:
    if not base or "://" in location or location.startswith("/"):
        return location
    return f"{base.rstrip('/')}/{location.removeprefix('./')}"
