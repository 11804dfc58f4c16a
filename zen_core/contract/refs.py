"""Refs: the small JSON that tasks hand to one another instead of data.

A ref is a claim, never trusted: the shim takes digest, serializer and address from the lineage store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zen_core.errors import MissingInputError

INLINE_LIMIT_BYTES = 1024
NO_VALUE: Any = object()
"""Stands for "this ref carries no value", since None is a value."""


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """Names one artifact; `value` is the value itself, in JSON form, when it is a scalar under 1 kB."""

    artifact_id: str
    digest: str
    type: str
    value: Any = NO_VALUE

    def to_json(self) -> dict[str, Any]:
        """The form that goes through an XCom, a result or a container argument."""
        document = {"artifact_id": self.artifact_id, "digest": self.digest, "type": self.type}
        return document if self.value is NO_VALUE else {**document, "value": self.value}


def ref_from_json(document: Mapping[str, Any], *, where: str = "") -> ArtifactRef:
    """Read a ref. Raises MissingInputError for what is none."""
    try:
        return ArtifactRef(
            str(document["artifact_id"]),
            str(document["digest"]),
            str(document["type"]),
            document.get("value", NO_VALUE),
        )
    except (KeyError, TypeError) as error:
        raise MissingInputError(
            f"the upstream task handed over {document!r:.80}, which is no artifact ref",
            where=where,
            hint="the task that should produce it did not run through Zen; clear it and run it again",
        ) from error


def is_scalar(value: Any) -> bool:
    """Whether a value in JSON form is a scalar that a ref may carry."""
    return (
        value is None
        or isinstance(value, (bool, int, float))
        or (isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) <= INLINE_LIMIT_BYTES)
    )
