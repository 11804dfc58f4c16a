"""Whether the stores are whole: the lineage store, what waits beside it in the spool, the bytes that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zen_core.contract.settings import Settings, without_credentials
from zen_core.diagnostics import Diagnostic
from zen_core.errors import StoreError

if TYPE_CHECKING:
    from zen_metadata.lineage.retention import ArtifactFacts
    from zen_metadata.query.stores import ReadStores

_NAMED = 10
"""How many of the artifacts whose bytes are gone are named."""


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What was found.

    Attributes:
        url: the lineage store's, as it may be shown.
        schema: its revision.
        problems: what is wrong, each with what to do.
        notices: what waits, or was left behind; the store is sound with it.
        counts: how many rows there are.
        checked_bytes: of how many artifacts the bytes were looked for; None where they were not.
    """

    url: str
    schema: str
    problems: tuple[Diagnostic, ...]
    notices: tuple[Diagnostic, ...]
    counts: Mapping[str, int]
    checked_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """The document of `zen store check --json`."""
        return {
            "url": self.url,
            "sound": not self.problems,
            "schema": self.schema,
            "problems": [problem.to_json() for problem in self.problems],
            "notices": [notice.to_json() for notice in self.notices],
            "counts": dict(self.counts),
            "checked_bytes": self.checked_bytes,
        }


def check_store(settings: Settings, *, with_bytes: bool = False) -> StoreCheck:
    """Look through the project's stores. Writes nothing.

    Args:
        with_bytes: whether to look for the bytes of every artifact that is not deleted, by its size; what the bytes
            are is checked whenever they are read.

    Raises:
        StoreError: there is no lineage store, or a store cannot be reached.
    """
    from zen_metadata.lineage.sql import checking
    from zen_metadata.query.stores import ReadStores

    found = checking.check(settings.lineage_url)
    problems, notices, looked_at = list(found.problems), list(found.notices), None
    with closing(ReadStores(settings)) as stores:
        notices += _find_spooled(stores)
        if with_bytes and found.version.takes_us and found.counts is not None:
            looked_at, gone = _look_for_bytes(stores)
            problems += _tell_gone(settings, gone)
    return StoreCheck(
        without_credentials(settings.lineage_url),
        found.version.revision,
        tuple(problems),
        tuple(notices),
        found.counts or {},
        looked_at,
    )


def _find_spooled(stores: ReadStores) -> Iterator[Diagnostic]:
    from zen_metadata.shim.spool import describe_spool

    where = without_credentials(stores.settings.artifact_url)
    try:
        state = describe_spool(stores.artifacts)
    except StoreError as error:
        yield Diagnostic(
            "ZEN-M214", f"the spool cannot be looked at: {error.message}", where, hint=error.diagnostics[0].hint
        )
        return
    if state.waiting:
        yield Diagnostic(
            "ZEN-M214",
            f"{state.waiting} facts wait in the spool",
            where,
            why="the lineage store was away when they were made",
            hint="record them: zen sync",
            context={"count": state.waiting},
        )
    if state.refused:
        yield Diagnostic(
            "ZEN-M214",
            f"{state.refused} facts of the spool were set aside",
            f"{where}/spool/refused",
            why="the lineage store cannot hold them as they are",
            hint="look at them, and remove them: they are recorded nowhere else",
            context={"count": state.refused},
        )


def _look_for_bytes(stores: ReadStores) -> tuple[int, list[ArtifactFacts]]:
    gone: list[ArtifactFacts] = []
    count = 0
    page = stores.lineage.list_artifacts()
    while page:
        for item in page:
            if item.deleted_at is None:
                count += 1
                if stores.artifacts.size(item.location) is None:
                    gone.append(item)
        page = stores.lineage.list_artifacts(after=page[-1].artifact_id)
    return count, gone


def _tell_gone(settings: Settings, gone: list[ArtifactFacts]) -> Iterator[Diagnostic]:
    if not gone:
        return
    gone = sorted(gone, key=lambda item: (item.pipeline, item.name, item.version or 0))
    names = [f"{item.pipeline}/{item.name}" + (f"@{item.version}" if item.version else "") for item in gone[:_NAMED]]
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    yield Diagnostic(
        "ZEN-M210",
        f"the bytes of {len(gone)} artifacts are gone",
        without_credentials(settings.artifact_url),
        why=", ".join(names) + more,
        hint=(
            "correct artifact_url if it names another place; else put the files back, or run the pipelines again: "
            "a step whose result is gone is a miss"
        ),
        context={"count": len(gone), "artifact_ids": [item.artifact_id for item in gone[:1000]]},
    )
