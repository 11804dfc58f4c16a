"""What happens at the points that change something, and what is promised of a process that is killed there.

A point that a recording meets and that is not here makes a test fail: whoever adds it to a part of a run says here
what becomes of the run when it ends there.
"""

from __future__ import annotations

from collections.abc import Mapping

_WHOLE = "the transaction is in the store as a whole or not at all"
_STAGED = "what is staged counts for nothing; `zen gc` takes it away"

NAMED_POINTS: Mapping[str, tuple[str, str]] = {
    "create tmp": ("bytes, a log or a spooled fact begin to be written beside their place", _STAGED),
    "sync tmp": ("they are flushed to the disk", _STAGED),
    "rename tmp -> objects": (
        "the bytes of an artifact get their final name",
        "bytes without a row; the step runs again",
    ),
    "touch objects": ("the same bytes are there already, and said to be in use", "the step runs again"),
    "remove objects": ("`zen gc` removes the bytes of a tombstone", "the next `zen gc` goes on"),
    "rename tmp -> logs": ("what the step printed gets its final name", "a log without a row; the step runs again"),
    "touch logs": ("a log is said to be in use", "the step runs again"),
    "remove logs": ("`zen gc` removes the log of an attempt that was never recorded", "the next `zen gc` goes on"),
    "rename tmp -> tmp": ("`zen gc` looks what time it is in the artifact store", _STAGED),
    "remove tmp": ("`zen gc` takes staged files away", "the next `zen gc` goes on"),
    "rename tmp -> spool/artifacts": ("a later step is to find what was made", "the step runs again"),
    "rename tmp -> spool/outputs": ("a later step is to find what an element made", "the step runs again"),
    "rename tmp -> spool/events": (
        "the end of an attempt is told",
        "until then the step runs again",
    ),
    "remove spool/artifacts": ("the fact is recorded, and its files go", "recorded once; the next replay goes on"),
    "remove spool/outputs": ("the fact is recorded, and its files go", "recorded once; the next replay goes on"),
    "remove spool/events": ("the fact is recorded, and its files go", "recorded once; the next replay goes on"),
    "touch user code begins": (
        "the user's code is about to begin",
        "it runs on the next attempt",
    ),
    "create user code begins": ("the user's code begins", "it runs on the next attempt"),
    "touch user code ends": ("in the middle of the user's code", "the step runs again"),
    "create user code ends": ("in the middle of the user's code", "the step runs again"),
    "sql COMMIT": ("a transaction is about to be committed", "as if it had never begun"),
    "sql COMMIT done": ("the store has acknowledged a transaction", "it stays"),
    "sql send": ("a transaction goes to PostgreSQL, with its commit", _WHOLE),
    "sql send done": ("PostgreSQL has acknowledged a transaction", "it stays"),
    "sql ROLLBACK": ("a transaction is given up", "as if it had never begun"),
    "mlflow create_experiment": ("MLflow is told of the project", "the next drain goes on"),
    "mlflow create_experiment done": ("MLflow knows the project", "the next drain goes on"),
    "mlflow create_run": ("a run, or a step of one, is about to be made in MLflow", "the next drain makes it"),
    "mlflow create_run done": ("it is made, and nobody has noted its id", "the next drain finds it: there is one"),
    "mlflow log_batch": ("params, metrics or tags are about to be written", "the next drain writes them"),
    "mlflow log_batch done": ("they are written, and nobody has noted it", "written again, to the same values"),
    "mlflow update_run": ("a status is about to be written", "the next drain writes it"),
    "mlflow update_run done": ("it is written", "written again"),
    "mlflow set_terminated": ("an end is about to be written", "the next drain writes it"),
    "mlflow set_terminated done": ("it is written", "written again"),
    **{
        f"sql {verb} zen_{table}": (what, _WHOLE)
        for verb, table, what in (
            ("insert", "runs", "a run begins"),
            ("update", "runs", "a run is closed"),
            ("insert", "irs", "its IR is stored"),
            ("insert", "code_bundles", "its code is named"),
            ("insert", "codes", "what a fingerprint covers is stored"),
            ("insert", "environments", "the environment is stored"),
            ("insert", "leases", "a key's lease is claimed"),
            ("update", "leases", "a lease is taken over, extended or released"),
            ("insert", "step_runs", "a step run is recorded"),
            ("insert", "attempts", "an attempt is recorded"),
            ("update", "attempts", "its end is recorded, or an earlier one is lost"),
            ("insert", "attempt_inputs", "what it read"),
            ("insert", "attempt_outputs", "what it made"),
            ("insert", "artifacts", "an artifact gets its row"),
            ("update", "artifacts", "`zen gc` makes a tombstone"),
            ("insert", "artifact_names", "a version is counted"),
            ("insert", "metrics", "what it logged"),
            ("insert", "params", "what it logged"),
            ("insert", "cache_entries", "a result stands for a key"),
            ("update", "cache_entries", "another result stands for a key, or one is marked"),
            ("insert", "outbox", "a fact is to be projected"),
            ("update", "outbox", "a fact is projected"),
            ("delete", "outbox", "what is projected for long goes"),
            ("insert", "links", "what stands for what is claimed or noted"),
            ("update", "links", "what stands for what is noted"),
            ("insert", "applied_events", "a spooled fact is applied"),
            ("delete", "applied_events", "a claim to apply it is given up"),
            ("insert", "file_digests", "the digest of a file is remembered"),
        )
    },
}
STORE_IS_MADE = ("sql create ", "sql alter ", "sql insert zen_schema", "sql update zen_schema", "sql delete zen_schema")
"""How the points begin at which a store is made: all its tables are there, or none."""


def meaning_of(point: str) -> tuple[str, str] | None:
    """What happens at a point, and what is promised; None for one that nobody has named."""
    if point.startswith(STORE_IS_MADE) or point.endswith("alembic_version"):
        return "the tables of a new store are made", "all of them or none; the next process makes them"
    return NAMED_POINTS.get(point)
