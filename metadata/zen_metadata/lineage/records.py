"""Facts about runs, as they go into the lineage store and come out of it.

All records are plain frozen dataclasses of JSON values, so that a fact that cannot be stored now is written to the
spool as it is and replayed later. Times are aware UTC datetimes inside Python and ISO text in the spool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

StepRunStatus = Literal["running", "completed", "cached", "failed", "skipped", "upstream_failed", "cancelled", "lost"]
AttemptStatus = Literal["running", "completed", "cached", "failed", "cancelled", "lost", "superseded"]
RunStatus = Literal["running", "completed", "failed", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run. The first task that arrives stores it; the others adopt what is stored.

    Attributes:
        parameters: effective parameters by name, in the JSON form of `contract.values`.
        scheduled_at: the tick that the run stands for, where it was scheduled.
        engine: the orchestrator's own facts (ids, versions), for people.
    """

    run_id: str
    project: str
    pipeline: str
    deployment: str
    orchestrator: str
    run_key: str
    ir_digest: str
    code_digest: str
    zen_version: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    closed_status: RunStatus | None = None
    """What a closing call said; None while the reader derives the status."""
    run_url: str = ""
    parent_run_id: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepRunRecord:
    """A step of a run: what all its attempts share."""

    step_run_id: str
    project: str
    run_id: str
    step: str
    map_index: int | None = None
    kind: Literal["step", "gate", "expander", "hook"] = "step"


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt at a step run, as it is known when it starts.

    Attributes:
        attempt_id: random, made by the process that makes the attempt.
        key_parts: the cache key's parts by name, kept so that a miss can be explained.
        environment_digest: names the environment snapshot, stored beforehand.
        engine: the orchestrator's own facts (try number, task id, worker host, pid).
    """

    attempt_id: str
    step_run_id: str
    project: str
    ir_digest: str
    code_digest: str
    fingerprint: str
    cache_enabled: bool
    cache_key: str
    key_parts: Mapping[str, str]
    environment_digest: str
    log_url: str = ""
    engine: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    """None: the store's own time."""
    cache_reason: str | None = None
    """Why nothing was reused, or what was, where the key's parts do not tell: a word of `CACHE_REASONS`."""


CACHE_REASONS = (
    "off",
    "refresh",
    "cleared",
    "invalidated",
    "expired",
    "deleted",
    "gone",
    "damaged",
    "away",
    "waited",
    "taken",
)
"""The step's cache is off; the run asked to execute; the orchestrator did; the entry was invalidated or is too old;
an artifact of it was deleted on purpose, its bytes are gone, or they are not what was stored; the lineage store was
away; another worker did the same work for longer than the step waits. Of a reused result: it was taken from an earlier
run without looking at its key."""
REPLACING_REASONS = frozenset({"refresh", "cleared", "gone", "damaged"})
"""Where nothing was reused for one of these, what is made now takes the place of the entry that is there."""


@dataclass(frozen=True, slots=True)
class InputRecord:
    """What one input of an attempt was. `path` tells the items of a list or dict input apart (`[0]`, `['a']`)."""

    port: str
    digest: str
    path: str = ""
    artifact_id: str | None = None
    """The artifact it came from; None for constants and parameters without files."""


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """One version of an artifact.

    Attributes:
        digest: of the value, from the serializer; what keys, refs and comparisons use.
        stored_digest: of the bytes; what the address and the integrity check use.
        location: the path of the bytes below the artifact store's root; for `kind` "source" the file's reference.
        version: 1, 2, … within project, pipeline and name; given by the store, None before.
        inline_value: the value in JSON form, when it is a scalar under 1 kB (then `has_inline_value` is set).
        kind: `value` (stored by Zen), `internal` (what a gate or an expander answered: it has no versions, and is not
            listed) or `source` (a file outside that a pipeline read; only its digest is known).
    """

    artifact_id: str
    project: str
    pipeline: str
    name: str
    digest: str
    stored_digest: str
    type: str
    serializer: str
    serializer_version: int
    location: str
    size_bytes: int
    kind: Literal["value", "internal", "source"] = "value"
    has_inline_value: bool = False
    inline_value: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    step_run_id: str | None = None
    attempt_id: str | None = None
    version: int | None = None
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    deleted_reason: str | None = None


@dataclass(frozen=True, slots=True)
class RollbackRecord:
    """Somebody has let a name stand for an earlier version.

    Attributes:
        last_version: the newest version at that time: one that is made later stands for the name again.
        moved_by: who it was, as that machine knows the person.
        reason: why, in words; "" where nobody said.
    """

    project: str
    pipeline: str
    name: str
    version: int
    last_version: int
    moved_at: datetime
    moved_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """A number that a step logged."""

    name: str
    value: float
    step: int | None
    logged_at: datetime


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """What a step raised. Texts are masked before they come here."""

    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim to be the one that does the work of a cache key. A higher token beats a lower one."""

    cache_key: str
    token: int
    project: str = ""
    """Whose cache the key belongs to; set by the store."""


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Somebody else does the work at present."""

    step_run_id: str
    attempt_id: str
    expires_at: datetime
    worker: str = ""
    """The process that does it, as `AttemptRecord.engine["worker"]` names it."""


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """What the store says to a new attempt.

    Exactly one of three: `number` is set and the attempt is recorded as running; or `holder` is set and nothing was
    recorded (wait, or start again with `without_lease`); or `hit` is set and nothing was recorded.
    """

    number: int | None = None
    lease: Lease | None = None
    holder: LeaseHolder | None = None
    hit: CachedResult | None = None


@dataclass(frozen=True, slots=True)
class CachedResult:
    """A cache entry with the artifacts it stands for, by output name."""

    cache_key: str
    attempt_id: str
    step_run_id: str
    run_id: str
    created_at: datetime
    outputs: Mapping[str, ArtifactRecord]
    nondeterministic: bool = False


@dataclass(frozen=True, slots=True)
class LookUp:
    """What a look-up found: a result that may be used, or the word of `CACHE_REASONS` for why one may not.

    Neither of them: there is no entry of this key.
    """

    hit: CachedResult | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """An attempt that ended well, as far as a later attempt at the same step is compared with it."""

    attempt_id: str
    run_id: str
    step: str
    map_index: int | None
    status: Literal["completed", "cached"]
    cache_key: str
    key_parts: Mapping[str, str]
    environment_digest: str
    zen_version: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended. Committed in one transaction with everything that hangs on it.

    `status` "completed" needs `outputs`; "cached" needs `reused_attempt_id` and refers to the artifacts of that
    attempt through `outputs`; "failed" and "cancelled" carry `error` where there is one.
    """

    attempt_id: str
    step_run_id: str
    status: Literal["completed", "cached", "failed", "cancelled"]
    inputs: tuple[InputRecord, ...] = ()
    outputs: Mapping[str, ArtifactRecord] = field(default_factory=dict)
    sources: tuple[ArtifactRecord, ...] = ()
    """Source files that were read: stored once each."""
    lease: Lease | None = None
    reused_attempt_id: str | None = None
    error: ErrorRecord | None = None
    metrics: tuple[MetricRecord, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    log_location: str = ""
    mlflow_run_id: str | None = None
    """Where the step's code had a run of its own."""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of a commit.

    Attributes:
        superseded: a newer attempt had taken over; the attempt is recorded as superseded, its outputs do not count.
        deleted: an artifact that was to be reused was deleted meanwhile; nothing is recorded.
        versions: the version of each new artifact, by output name.
        nondeterministic: the cache entry existed with other digests. It is marked, and stays, unless the attempt's
            `cache_reason` is one of `REPLACING_REASONS`.
    """

    superseded: bool = False
    deleted: bool = False
    versions: Mapping[str, int] = field(default_factory=dict)
    nondeterministic: bool = False


PROJECTIONS = ("mlflow", "openlineage")
"""Where facts are shown: names in the outbox, and of the links to what stands there for a run, step run or attempt."""


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A fact that is still to be projected: to MLflow, or whatever `projection` names.

    Written in the same transaction as the fact itself. Event `again`: the whole run is to be projected anew.
    """

    outbox_id: int
    project: str
    event: Literal["attempt_ended", "run_ended", "again"]
    run_id: str
    step_run_id: str | None
    attempt_id: str | None
    created_at: datetime
    tries: int = 0
    projection: str = "mlflow"


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """What a projection does not show yet.

    Attributes:
        pending: how many facts.
        oldest_at: since when the oldest of them is known.
        refused: how many of them were refused, one by one.
        last_error: what was last said about one of them, "" when none was tried in vain.
    """

    pending: int
    oldest_at: datetime
    refused: int
    last_error: str


@dataclass(frozen=True, slots=True)
class StepRunOutputs:
    """How a step run stands and what it made: what a later step of the same run asks about it."""

    status: StepRunStatus
    outputs: Mapping[str, ArtifactRecord]


@dataclass(frozen=True, slots=True)
class StepRunState:
    """A step run as it stands, for the read side: its latest attempt with everything that hangs on it.

    `metrics` and `params` are what was logged while the result was made: where it was reused, by the attempt that
    made it.
    `attempts` counts the attempts; `status` is the latest attempt's (a running one without a heartbeat for three
    periods reads `lost`).
    """

    step_run: StepRunRecord
    attempt: AttemptRecord
    status: StepRunStatus
    attempts: int
    inputs: tuple[InputRecord, ...]
    outputs: Mapping[str, ArtifactRecord]
    metrics: tuple[MetricRecord, ...]
    params: Mapping[str, Any]
    error: ErrorRecord | None
    reused_attempt_id: str | None
    reused_from: str | None
    """The run id of the run whose result was reused."""
    log_location: str
    mlflow_run_id: str | None
    started_at: datetime
    ended_at: datetime | None
    mixed: bool = False
    """Whether IR or code differ from the run's own."""
