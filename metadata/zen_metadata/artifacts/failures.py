"""What goes wrong while a value is stored or loaded, told in words."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.contract.files import File
from zen_core.contract.settings import without_credentials
from zen_core.errors import ArtifactMissingError, OutputError, StoreError, ZenError
from zen_metadata.artifacts.filesystems import failure_of
from zen_metadata.artifacts.serializers import DeclinedError
from zen_metadata.artifacts.type_names import type_name

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import StoredArtifact
    from zen_metadata.lineage.records import ArtifactRecord

logger = logging.getLogger("zen")
MAKE_AGAIN = "the next run of the pipeline will run the step that made it again"


def describe(record: ArtifactRecord | StoredArtifact) -> str:
    """The artifact as messages name it."""
    name = getattr(record, "name", "")
    if not name:
        return f"the artifact {record.location}"
    version = getattr(record, "version", None)
    return f"the artifact {name!r}" + (f" version {version}" if version is not None else "")


def check_not_deleted(record: ArtifactRecord | StoredArtifact, shown: str) -> None:
    """Raise ArtifactMissingError for an artifact that was deleted on purpose, or never stored."""
    if getattr(record, "kind", "value") == "source":
        raise ArtifactMissingError(
            f"{shown} is a file outside the store, of which only the digest is known",
            hint="read it from where it lies",
        )
    deleted_at = getattr(record, "deleted_at", None)
    if deleted_at is None:
        return
    who = getattr(record, "deleted_by", None) or "somebody"
    raise ArtifactMissingError(
        f"{shown} was deleted on {deleted_at:%Y-%m-%d} by {who}",
        why=getattr(record, "deleted_reason", None) or "",
        hint=MAKE_AGAIN,
    )


def pickle_load_refused(shown: str) -> StoreError:
    """The error for a pickle that is to be read where pickles are not allowed."""
    return StoreError(
        f"{shown} is a pickle, and pickles are not allowed here",
        why="[artifacts] allow_pickle = false: loading a pickle runs whatever code its writer put in",
        hint="store the value in another format, or allow pickles where the store is trusted",
    )


@contextmanager
def writing(value: object, where: str) -> Iterator[None]:
    """Tell in words what a serializer raises while it writes."""
    try:
        yield
    except DeclinedError:
        raise
    except ZenError as error:
        problem = error.diagnostics[0]
        if problem.where or not where:
            raise
        raise type(error)(problem.message, where=where, why=problem.why, hint=problem.hint) from error.__cause__
    except OSError as error:
        if isinstance(value, (File, Path)):
            raise not_storable(value, f"{type(error).__name__}: {error}", where) from error
        raise failure_of(error, "store an artifact", where=where) from error
    except Exception as error:
        raise not_storable(value, f"{type(error).__name__}: {error}", where) from error


@contextmanager
def reading(shown: str, metadata: Mapping[str, Any]) -> Iterator[None]:
    """Tell in words what a serializer raises while it reads."""
    try:
        yield
    except ZenError:
        raise
    except Exception as error:
        packages = ", ".join(f"{name} {version}" for name, version in (metadata.get("packages") or {}).items())
        hint = f"it was stored with {packages}" if packages else "see whether its packages are installed here"
        raise StoreError(f"{shown} cannot be read here", why=f"{type(error).__name__}: {error}", hint=hint) from error


def tell_doubt(value: object, doubt: str, where: str) -> None:
    """Warn that an equal value may get another digest in another process."""
    logger.warning(
        "%sthe digest of this %s may differ between processes though the value is equal: %s. Steps that read it may "
        "run again without need; they never take a wrong result. Return plain values, arrays or frames, or register "
        "a serializer for it.",
        f"{where}: " if where else "",
        type_name(type(value)),
        doubt,
    )


def not_storable(value: object, why: str, where: str) -> OutputError:
    """The error for a value that no serializer can write."""
    return OutputError(
        f"a {type_name(type(value))} cannot be stored",
        where=where,
        why=without_credentials(why),
        hint="return plain values, arrays, frames or a File, or register a serializer for it",
    )


def pickle_refused(value: object, reason: str, where: str) -> OutputError:
    """The error for a value that only a pickle holds, where pickles are not allowed."""
    return OutputError(
        f"a {type_name(type(value))} can be stored only as a pickle, and pickles are not allowed",
        where=where,
        why=(f"{reason}; " if reason else "") + "[artifacts] allow_pickle = false",
        hint="return plain values, arrays, frames or a File, or register a serializer for it",
    )
