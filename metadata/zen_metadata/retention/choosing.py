"""Which versions are old: those that no name stands for any more, that nobody keeps, that no open run uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from zen_core.errors import NotFoundError
from zen_metadata.artifacts.stored_files import LOCAL_GRACE_SECONDS
from zen_metadata.lineage.retention import ArtifactFacts, InUse
from zen_metadata.query.nearest import did_you_mean
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.inventory import Inventory, in_batches
from zen_metadata.shim.elements import COLLECTION_TYPE

DAY_SECONDS = 24 * 3600.0
_LATEST_RUNS = 20
"""Among how many runs of a pipeline the last one that was completed is looked for."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept.

    Attributes:
        older_than_seconds: versions that are younger stay.
        keep: names whose versions stay: `name`, `pipeline/name` or `project/pipeline/name`, each may end in `@version`.
        keep_last: how many of the newest versions of each name stay; what one run made counts as one.
        sole: whether this lineage store is known to be the only one that uses the artifact store.
        grace_seconds: how long bytes stay that nothing refers to.
        silence_seconds: a run that gave no sign of life for so long is over, whatever else is known of it.
    """

    older_than_seconds: float = 30 * DAY_SECONDS
    keep: tuple[str, ...] = ()
    keep_last: int = 1
    sole: bool = False
    grace_seconds: float = LOCAL_GRACE_SECONDS
    silence_seconds: float = 30 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Choice:
    """What may go.

    Attributes:
        going: the versions, and the lists of maps, by name and version.
        kept: how many older ones stay, by reason.
    """

    going: tuple[ArtifactFacts, ...]
    kept: Mapping[str, int] = field(default_factory=dict)


def choose(stores: ReadStores, inventory: Inventory, policy: Policy, in_use: InUse) -> Choice:
    """Choose among the artifacts of the project.

    Raises:
        NotFoundError: `keep` names what is not there.
    """
    project = stores.settings.project
    live = [item for item in inventory.artifacts if item.project == project and item.deleted_at is None]
    _refuse_unknown(project, live, policy.keep)
    oldest = inventory.now - timedelta(seconds=policy.older_than_seconds)
    rolled_back = stores.lineage.find_rolled_back(project)
    latest = _outputs_of_latest_runs(stores, {item.pipeline for item in live})
    kept: dict[str, int] = defaultdict(int)
    going = []
    for item, is_new in _ranked(live, policy.keep_last):
        if item.created_at >= oldest:
            continue
        if is_new:
            kept["newest"] += 1
        elif any(_is_named(item, name) for name in policy.keep):
            kept["kept"] += 1
        elif item.artifact_id in latest:
            kept["latest_run"] += 1
        elif rolled_back.get((item.pipeline, item.name)) == item.version and item.kind == "value":
            kept["rolled_back"] += 1
        else:
            going.append(item)
    used = {
        artifact_id
        for batch in in_batches([item.artifact_id for item in going])
        for artifact_id in stores.lineage.find_used(batch, in_use)
    }
    if used:
        kept["running"] = len(used)
    return Choice(tuple(item for item in going if item.artifact_id not in used), dict(kept))


def find_in_use(stores: ReadStores, now: datetime, policy: Policy) -> InUse:
    """What runs. A run that nobody closed, and that was quiet for a while, is looked at more closely."""
    from zen_metadata.query.runs import Run

    lineage = stores.lineage
    since = now - timedelta(seconds=policy.silence_seconds)
    quiet_since = now - timedelta(seconds=LOCAL_GRACE_SECONDS)
    over = set()
    for found in lineage.find_open_runs(since=since):
        if not found.is_recorded or found.last_sign_at >= quiet_since:
            continue
        [record] = lineage.find_run(found.run_id)
        document = lineage.get_ir(record.project, record.ir_digest)
        if document is not None and Run(record, document, stores).status != "running":
            over.add(found.run_id)
    return InUse(since, frozenset(over))


def _outputs_of_latest_runs(stores: ReadStores, pipelines: Iterable[str]) -> set[str]:
    """What the last run of each pipeline that was completed has as outputs, made by itself or reused."""
    found: set[str] = set()
    for pipeline in sorted(pipelines):
        runs = stores.lineage.find_runs(stores.settings.project, pipeline=pipeline, limit=_LATEST_RUNS)
        completed = [run for run in runs if run.closed_status == "completed"]
        for run in (completed or runs)[:1]:
            states = stores.lineage.get_step_runs(run.run_id)
            found.update(record.artifact_id for state in states for record in state.outputs.values())
    return found


def _ranked(live: Iterable[ArtifactFacts], keep_last: int) -> Iterable[tuple[ArtifactFacts, bool]]:
    """All versions, and the lists of maps, each with whether it is among the newest of its name."""
    by_name: dict[tuple[str, str, str], list[ArtifactFacts]] = defaultdict(list)
    for item in live:
        # What a condition answered, or how many elements a map has, stays: what became of a run hangs on it.
        if item.kind == "value" or item.type == COLLECTION_TYPE:
            by_name[item.pipeline, item.name, item.kind].append(item)
    for name in sorted(by_name):
        runs: dict[str | None, None] = {}
        for item in sorted(by_name[name], key=lambda item: (item.version or 0, item.created_at), reverse=True):
            runs[item.run_id] = None
            yield item, len(runs) <= keep_last


def _is_named(item: ArtifactFacts, name: str) -> bool:
    if item.kind != "value":
        return False
    full = f"{item.project}/{item.pipeline}/{item.name}"
    return any(f"/{words}".endswith(f"/{name}") for words in (full, f"{full}@{item.version}"))


def _refuse_unknown(project: str, live: Sequence[ArtifactFacts], names: Iterable[str]) -> None:
    for name in names:
        if not any(_is_named(item, name) for item in live):
            known = sorted({item.name for item in live if item.kind == "value"})
            raise NotFoundError(
                f"there is no artifact {name!r} to keep in project {project!r}",
                hint=did_you_mean(name.partition("@")[0], known) or "zen artifacts lists what there is",
            )
