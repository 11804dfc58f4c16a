"""What must hold of a project's stores, whatever was killed, cut or full while they were written.

    check_invariants("sqlite:////tmp/p/zen.db", "/tmp/p/artifacts", "sqlite:////tmp/p/mlflow.db")

Reads the tables themselves, the bytes and MLflow, changes nothing, and lists every violation at once. What a process
that was killed may leave (an attempt without an end, a temporary file) is no violation; what it may never leave is.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from integration_tests.faults.mlflow_tree import find_tree_violations
from zen_core.errors import ArtifactMissingError, StoreError
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.lineage.sql import open_lineage_store, tables
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS
from zen_metadata.lineage.store import LineageStore
from zen_metadata.shim import spool
from zen_metadata.shim.elements import COLLECTION_TYPE, collection_digest
from zen_metadata.shim.worker import is_gone

ENDED = frozenset({"completed", "cached", "failed", "cancelled"})
TERMINAL = ENDED | {"skipped", "upstream_failed", "lost"}
MLFLOW = "mlflow"


def check_invariants(lineage_url: str, artifact_url: str, mlflow_uri: str = "", **options: bool) -> None:
    """Raise AssertionError with every violation; `options` are those of `find_violations`."""
    found = find_violations(lineage_url, artifact_url, mlflow_uri, **options)
    if found:
        raise AssertionError(f"{len(found)} invariants do not hold:\n" + "\n".join(f"  - {line}" for line in found))


def find_violations(
    lineage_url: str,
    artifact_url: str,
    mlflow_uri: str = "",
    *,
    settled: bool = True,
    synced: bool = True,
    killed: bool = False,
    steady: bool = True,
) -> list[str]:
    """Everything that does not hold, as sentences.

    Args:
        mlflow_uri: compare MLflow with the tables too; "": there is none, and nothing is asked of the outbox but that
            each fact is in it once.
        settled: nothing is at work: every attempt has ended, or its process is gone.
        synced: `zen sync` was called since: the spool is empty, and with MLflow the outbox too.
        steady: the store's clock went forward all the time, so that times tell the order of versions.
        killed: processes were killed, and `zen gc` was not called since, long after: what they staged may be left.
    """
    artifacts = ArtifactStore(artifact_url)
    with closing(open_lineage_store(lineage_url, create=False)) as store:
        facts = Facts(Tables.read(lineage_url), store, artifacts)
        violations = [
            *_of_attempts(facts, settled=settled),
            *_of_versions(facts, steady=steady),
            *_of_references(facts, synced=synced),
            *_of_bytes(facts),
            *_of_cache(facts),
            *_of_leases(facts),
            *_of_outbox(facts, drained=synced and bool(mlflow_uri)),
            *_of_files(facts, synced=synced, killed=killed),
        ]
        if mlflow_uri and synced:
            violations += find_tree_violations(store, mlflow_uri)
    return violations


@dataclass(frozen=True)
class Tables:
    """All rows of the lineage store, as one transaction sees them."""

    rows: Mapping[str, list[Any]]

    @classmethod
    def read(cls, lineage_url: str) -> Tables:
        """Read them."""
        engine = make_engine(lineage_url)
        try:
            with engine.connect() as connection:
                if engine.dialect.name == "postgresql":
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")
                return cls({name: list(connection.execute(select(table))) for name, table in _TABLES.items()})
        finally:
            engine.dispose()

    def __getattr__(self, name: str) -> list[Any]:
        """The rows of a table, by its name without `zen_`."""
        try:
            return self.rows[name]
        except KeyError:
            raise AttributeError(name) from None


_TABLES = {name.removeprefix(tables.TABLE_PREFIX): table for name, table in tables.metadata.tables.items()}


@dataclass(frozen=True)
class Facts:
    """What the checks look into."""

    tables: Tables
    store: LineageStore
    artifacts: ArtifactStore

    @cached_property
    def attempts(self) -> dict[str, Any]:
        """By id."""
        return {row.attempt_id: row for row in self.tables.attempts}

    @cached_property
    def step_runs(self) -> dict[str, Any]:
        """By id."""
        return {row.step_run_id: row for row in self.tables.step_runs}

    @cached_property
    def records(self) -> dict[str, ArtifactRecord]:
        """The artifacts by id."""
        names = [column.key for column in ARTIFACT_COLUMNS]
        return {
            row.artifact_id: ArtifactRecord(**{name: getattr(row, name) for name in names})
            for row in self.tables.artifacts
        }

    @cached_property
    def events(self) -> Mapping[str, spool.AttemptEvent]:
        """What is in the spool and not in the tables."""
        applied = {row.event_id for row in self.tables.applied_events}
        found = dict(spool.read_events(self.artifacts))
        return {
            where: event
            for where, event in found.items()
            if isinstance(event, spool.AttemptEvent) and event.attempt.attempt_id not in applied
        }

    @cached_property
    def spooled(self) -> set[str]:
        """The artifacts that only the spool tells of."""
        return {record.artifact_id for event in self.events.values() for record in event.end.outputs.values()}


def _of_attempts(facts: Facts, *, settled: bool) -> Iterator[str]:
    """Every step run is terminal or lost, as the read side derives it; its attempts are numbered 1, 2, …"""
    numbers = defaultdict(list)
    for row in facts.tables.attempts:
        numbers[row.step_run_id].append(row.number)
        is_ended = row.ended_at is not None
        if is_ended != (row.status in ENDED or row.status == "superseded"):
            yield f"attempt {row.attempt_id} is {row.status} and ended at {row.ended_at}"
        if is_ended and row.ended_at < row.started_at:
            yield f"attempt {row.attempt_id} ended {row.started_at - row.ended_at} before it began"
    for step_run_id, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield f"the attempts at step run {step_run_id} are numbered {sorted(found)}"
    for step_run_id in facts.step_runs.keys() - numbers.keys():
        yield f"step run {step_run_id} has no attempt"
    for run_id in sorted({row.run_id for row in facts.tables.step_runs}):
        for state in facts.store.get_step_runs(run_id):
            label = f"{state.step_run.step}[{state.step_run.map_index}] of run {run_id}"
            if state.status in TERMINAL or not settled:
                continue
            worker = str(state.attempt.engine.get("worker", ""))
            if state.status != "running" or not is_gone(worker):
                yield f"{label} is {state.status}, and its process is not known to be gone ({worker})"


def _of_versions(facts: Facts, *, steady: bool) -> Iterator[str]:
    """Each version has one producer, which completed; versions count 1, 2, … as the counter says, in order of time."""
    made = defaultdict(list)
    for record in facts.records.values():
        if record.kind == "value" and record.version is not None:
            made[record.project, record.pipeline, record.name].append(record)
    counters = {(row.project, row.pipeline, row.name): row.last_version for row in facts.tables.artifact_names}
    producers = defaultdict(list)
    for row in facts.tables.attempt_outputs:
        if (attempt := facts.attempts.get(row.attempt_id)) and attempt.status == "completed":
            producers[row.artifact_id].append(row.attempt_id)
    for name in made.keys() | counters.keys():
        found = sorted(made[name], key=lambda record: record.version or 0)
        versions = [record.version for record in found]
        if versions != list(range(1, counters.get(name, 0) + 1)):
            yield f"the versions of {name} are {versions}, and its counter is at {counters.get(name)}"
        times = [record.created_at for record in found]
        if steady and times != sorted(times):  # type: ignore[type-var]
            yield f"the versions of {name} were not made in the order of their numbers"
    for record in facts.records.values():
        if record.kind == "source" or record.attempt_id is None:
            continue
        attempt = facts.attempts.get(record.attempt_id)
        if producers[record.artifact_id] != [record.attempt_id]:
            yield f"artifact {record.artifact_id} of attempt {record.attempt_id} has {producers[record.artifact_id]}"
        if attempt is not None and attempt.step_run_id != record.step_run_id:
            yield f"artifact {record.artifact_id} names step run {record.step_run_id}, its attempt another"


def _of_references(facts: Facts, *, synced: bool) -> Iterator[str]:
    """Every id that a row names is there; where it was not synced, the spool may still have it."""
    runs = {row.run_id for row in facts.tables.runs}
    irs = {(row.project, row.digest) for row in facts.tables.irs}
    environments = {(row.project, row.digest) for row in facts.tables.environments}
    known = facts.records.keys() | (set() if synced else facts.spooled)
    waiting = set() if synced else {event.run.run_id for event in facts.events.values()}
    for row in facts.tables.runs:
        if (row.project, row.ir_digest) not in irs:
            yield f"run {row.run_id} names the IR {row.ir_digest}, which is not there"
    for row in facts.tables.step_runs:
        if row.run_id not in runs | waiting:
            yield f"step run {row.step_run_id} names run {row.run_id}, which is not there"
    for row in facts.tables.attempts:
        if row.step_run_id not in facts.step_runs:
            yield f"attempt {row.attempt_id} names step run {row.step_run_id}, which is not there"
        if (row.project, row.ir_digest) not in irs:
            yield f"attempt {row.attempt_id} names the IR {row.ir_digest}, which is not there"
        if row.environment_digest and (row.project, row.environment_digest) not in environments:
            yield f"attempt {row.attempt_id} names the environment {row.environment_digest}, which is not there"
        reused = row.reused_attempt_id and facts.attempts.get(row.reused_attempt_id)
        if row.status == "cached" and (reused is None or reused.status != "completed"):
            yield f"attempt {row.attempt_id} reuses {row.reused_attempt_id}, which is {reused and reused.status}"
        if row.log_location and not facts.artifacts.exists(row.log_location):
            yield f"attempt {row.attempt_id} names the log {row.log_location}, which is not there"
    for row in facts.tables.attempt_inputs:
        if row.artifact_id is not None and row.artifact_id not in known:
            yield f"input {row.port} of attempt {row.attempt_id} names artifact {row.artifact_id}, which is not there"
    for row in facts.tables.attempt_outputs:
        record = facts.records.get(row.artifact_id)
        if row.artifact_id not in known:
            yield f"output {row.output} of attempt {row.attempt_id} is artifact {row.artifact_id}, which is not there"
        elif record is not None and record.digest != row.digest:
            yield f"output {row.output} of attempt {row.attempt_id} is recorded with another digest than its artifact"
    for table in (facts.tables.metrics, facts.tables.params, facts.tables.attempt_inputs, facts.tables.attempt_outputs):
        for row in table:
            if row.attempt_id not in facts.attempts:
                yield f"a row names attempt {row.attempt_id}, which is not there: {row}"


def _of_bytes(facts: Facts) -> Iterator[str]:
    """The bytes of everything that lives hash to their stored digest, and the value that they are to its digest."""
    checked: dict[tuple[str, str, str], list[str]] = {}
    with TemporaryDirectory(prefix="zen-invariants-") as folder:
        scratch = Path(folder)
        again = ArtifactStore(str(scratch / "again"))
        for record in facts.records.values():
            if record.kind == "source" or record.deleted_at is not None:
                continue
            content = (record.location, record.stored_digest, record.digest)
            if content not in checked:
                checked[content] = list(_of_value(record, facts.artifacts, again, scratch))
            yield from (
                f"artifact {record.artifact_id} ({record.name} {record.version}) {it}" for it in checked[content]
            )


def _of_value(record: ArtifactRecord, artifacts: ArtifactStore, again: ArtifactStore, scratch: Path) -> Iterator[str]:
    try:
        data = artifacts.read_bytes(record.location)
    except ArtifactMissingError:
        yield f"has no bytes at {record.location}"
        return
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if found != record.stored_digest or len(data) != record.size_bytes:
        yield f"has other bytes than were stored: {len(data)} of {record.size_bytes}, {found} at {record.location}"
        return
    try:
        value: Any = artifacts.load(record, scratch=scratch / "load")
    except StoreError:
        return  # of a class that this process cannot import: its bytes are whole, its value cannot be told
    if record.type == COLLECTION_TYPE:
        digest = collection_digest([element["digest"] for element in value])
        for index, element in enumerate(value):
            if f"sha256:{_digest_of(artifacts, element['location'])}" != element["stored_digest"]:
                yield f"lists element {index}, whose bytes are not those that were stored"
    else:
        digest = again.save(value, scratch=scratch / "save").digest
    if digest != record.digest:
        yield f"is a value of digest {digest}, and recorded with {record.digest}"


def _digest_of(artifacts: ArtifactStore, location: str) -> str:
    try:
        return hashlib.sha256(artifacts.read_bytes(location)).hexdigest()
    except ArtifactMissingError:
        return "nothing"


def _of_cache(facts: Facts) -> Iterator[str]:
    """A cache entry stands for an attempt that completed with this key, and whose outputs are there or tombstones."""
    outputs = defaultdict(list)
    for row in facts.tables.attempt_outputs:
        outputs[row.attempt_id].append(row.artifact_id)
    for entry in facts.tables.cache_entries:
        attempt = facts.attempts.get(entry.attempt_id)
        if attempt is None or attempt.status != "completed" or attempt.cache_key != entry.cache_key:
            yield f"cache entry {entry.cache_key} stands for attempt {entry.attempt_id}: {attempt and attempt.status}"
        for artifact_id in outputs[entry.attempt_id]:
            if artifact_id not in facts.records:
                yield f"cache entry {entry.cache_key} leads to artifact {artifact_id}, which is not there"
    entries = {(entry.project, entry.cache_key) for entry in facts.tables.cache_entries}
    for row in facts.tables.attempts:
        if row.status == "completed" and row.cache_enabled and (row.project, row.cache_key) not in entries:
            yield f"attempt {row.attempt_id} completed, and its key {row.cache_key} leads to no cache entry"


def _of_leases(facts: Facts) -> Iterator[str]:
    """A lease that is held has a holder who is at work, or who is gone and whom nobody has to wait for."""
    now = facts.store.read_clock()
    for lease in facts.tables.leases:
        holder = facts.attempts.get(lease.attempt_id)
        if lease.released_at is not None:
            continue
        if holder is None:
            yield f"the lease of {lease.cache_key} is held by attempt {lease.attempt_id}, which is not recorded"
        elif holder.status in ENDED or holder.status == "superseded":
            yield f"the lease of {lease.cache_key} is held by attempt {lease.attempt_id}, which is {holder.status}"
        elif lease.expires_at < now and holder.status == "running" and not is_gone(str(holder.engine.get("worker"))):
            yield f"the lease of {lease.cache_key} expired at {lease.expires_at}, and its holder is at work"


def _of_outbox(facts: Facts, *, drained: bool) -> Iterator[str]:
    """Each end of an attempt is announced once, each closed run at least once; nothing waits after a sync."""
    announced: Counter[tuple[str, str]] = Counter()
    for row in facts.tables.outbox:
        projection = getattr(row, "projection", MLFLOW)
        if projection != MLFLOW:
            continue
        announced[row.event, row.attempt_id or row.run_id] += 1
        if drained and row.done_at is None:
            yield f"outbox row {row.outbox_id} ({row.event}) waits after a sync: {row.last_error}"
    for row in facts.tables.attempts:
        count = announced["attempt_ended", row.attempt_id]
        if count != (row.status in ENDED):
            yield f"attempt {row.attempt_id} is {row.status}, and its end is announced {count} times"
    for row in facts.tables.runs:
        if row.closed_status is not None and not announced["run_ended", row.run_id]:
            yield f"run {row.run_id} was closed as {row.closed_status}, and its end is not announced"


def _of_files(facts: Facts, *, synced: bool, killed: bool) -> Iterator[str]:
    """The spool is empty after a sync, and nothing is staged, but what a killed process left, which `zen gc` takes."""
    waiting = ("spool/events", "spool/refused") if killed else ("spool",)
    for folder in waiting if synced else ():
        yield from (f"the spool holds {location} after a sync" for location in facts.artifacts.list(folder))
    for location in facts.artifacts.list("tmp"):
        pid = location.removeprefix("tmp/").partition("-")[0]
        is_ours = pid == str(os.getpid())
        is_gone = not (pid.isdigit() and Path(f"/proc/{pid}").exists())
        if is_ours or (is_gone and not killed):
            yield f"{location} is left of a process that {'works no more' if is_ours else 'is gone'}"
