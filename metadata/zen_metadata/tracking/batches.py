"""What fits into one request to MLflow: it refuses more, as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from zen_metadata.tracking.projection import MetricPoint, Projection

_MOST_PARAMS = _MOST_TAGS = 100
_MOST_ENTITIES = 1000
_MOST_BYTES = 900_000
"""MLflow counts a million of the request's JSON."""
_ENTITY_BYTES = 200
"""Of an entity in JSON, beside its key and its text: names, numbers, indentation."""
_FIRST_TAGS = 80
_SHORT_TAG = 1000


@dataclass
class Batch:
    """What one `log_batch` brings."""

    metrics: list[MetricPoint] = field(default_factory=list)
    params: list[tuple[str, str]] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    size_bytes: int = 0

    def has_room_for(self, size_bytes: int) -> bool:
        """Whether one more entity of any kind fits."""
        return (
            self.size_bytes + size_bytes <= _MOST_BYTES
            and len(self.params) < _MOST_PARAMS
            and len(self.tags) < _MOST_TAGS
            and len(self.metrics) + len(self.params) + len(self.tags) < _MOST_ENTITIES
        )


def batches(projection: Projection) -> Iterator[Batch]:
    """A run's metrics, params and tags in as few requests as MLflow allows; none where there is nothing."""
    batch = Batch()
    for kind, item, size_bytes in _entities(projection):
        if not batch.has_room_for(size_bytes):
            yield batch
            batch = Batch()
        getattr(batch, kind).append(item)
        batch.size_bytes += size_bytes
    if batch.size_bytes:
        yield batch


def first_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that a run is created with: what says whose it is comes first, and stays small."""
    short = [(key, text) for key, text in tags.items() if len(text) <= _SHORT_TAG]
    return dict(short[:_FIRST_TAGS])


def _entities(projection: Projection) -> Iterator[tuple[str, object, int]]:
    for key, text in projection.tags.items():
        yield "tags", (key, text), _json_bytes(key) + _json_bytes(text) + _ENTITY_BYTES
    for key, text in projection.params.items():
        yield "params", (key, text), _json_bytes(key) + _json_bytes(text) + _ENTITY_BYTES
    for point in projection.metrics:
        yield "metrics", point, _json_bytes(point.key) + _ENTITY_BYTES


def _json_bytes(text: str) -> int:
    """At most so long in JSON: a quote is written as two characters, one that is not ASCII as six, or twelve."""
    return 2 * len(text) if text.isascii() else 12 * len(text)
