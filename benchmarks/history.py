"""A lineage store with a long history, written by the database itself: a million attempts in about a minute.

The rows are those of pipelines of ten steps that ran again and again: each step reads what the one before made, logs a
metric, and is cached in one run of five. Nothing is random: the same size gives the same rows, on both databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Connection

from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.engine import make_engine

PROJECT = "history"
STEPS = 10
PIPELINES = 4
"""Few enough that also a short history has as many runs of each as any question looks at."""
_START, _STEP = 1_767_225_600_000_000, 60_000_000
"""The first attempt, in microseconds since 1970, and the time from one to the next."""
_SCRAMBLE, _RANGE = 2_654_435_761, 4_294_967_296
_BATCH = 100_000
_RUN, _STEP_RUN, _ATTEMPT, _ARTIFACT = range(4)


@dataclass(frozen=True)
class History:
    """What was written.

    Attributes:
        attempts: how many.
    """

    attempts: int

    def run_id(self, number: int) -> str:
        """The id of a run: 0 is the first one; counted from the end where it is negative."""
        return _made_id(_RUN, number % self.runs)

    def artifact_id(self, attempt: int) -> str:
        """The id of what an attempt made."""
        return _made_id(_ARTIFACT, attempt % self.attempts)

    def attempt_id(self, attempt: int) -> str:
        """The id of an attempt."""
        return _made_id(_ATTEMPT, attempt % self.attempts)

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.attempts // STEPS


def write_history(url: str, attempts: int) -> History:
    """Fill the store at `url`, which is made; `attempts` is a multiple of 1,000."""
    store = open_lineage_store(url)
    store.find_runs(limit=1)
    store.close()
    engine = make_engine(url)
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # what is lost in a crash does not matter here
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("PRAGMA cache_size = -400000")
        for start in range(0, attempts, _BATCH):
            connection.exec_driver_sql("BEGIN")
            for statement in _statements(is_sqlite, start, min(start + _BATCH, attempts)):
                connection.execute(text(statement))
            connection.exec_driver_sql("COMMIT")
            connection.commit()
        if not is_sqlite:  # as its autovacuum does within a minute
            _analyze(connection)
    engine.dispose()
    return History(attempts)


def _analyze(connection: Connection) -> None:
    connection.exec_driver_sql("ANALYZE")
    connection.commit()


def _made_id(kind: int, number: int) -> str:
    return str(UUID(f"{number * _SCRAMBLE % _RANGE:08x}{kind:04x}50008000{number:012x}"))


def _statements(is_sqlite: bool, start: int, end: int) -> list[str]:
    """The inserts of the attempts from `start` to `end`; `i` is an attempt's number, `r` that of its run."""

    def made(kind: int, number: str) -> str:
        scrambled = f"({number}) * {_SCRAMBLE} % {_RANGE}"
        if is_sqlite:
            return f"printf('%08x-{kind:04x}-5000-8000-%012x', {scrambled}, {number})"
        parts = f"lpad(to_hex({scrambled}), 8, '0')", f"lpad(to_hex({number}), 12, '0')"
        return f"{parts[0]} || '-{kind:04x}-5000-8000-' || {parts[1]}"

    def key(number: str) -> str:
        return f"'sha256:' || replace({made(9, number)}, '-', '') || '{'0' * 32}'"

    numbers = _numbers(start, end)
    run, step = f"(i / {STEPS})", f"(i % {STEPS})"
    pipeline = f"'pipeline_' || ({run} % {PIPELINES})"
    began = f"{_START} + i * {_STEP}"
    # One run of five reuses what the run before it of the same pipeline made.
    is_cached = f"({run} / {PIPELINES} % 5 = 4)"
    maker = f"CASE WHEN {is_cached} THEN i - {STEPS * PIPELINES} ELSE i END"
    before = f"CASE WHEN {is_cached} THEN i - 1 - {STEPS * PIPELINES} ELSE i - 1 END"
    p, yes, no = f"'{PROJECT}'", ("1" if is_sqlite else "true"), ("0" if is_sqlite else "false")
    parts = """'{"code": "1", "input previous": "2", "package numpy": "2.1.0"}'"""
    inserts = {
        "runs (run_id, project, pipeline, deployment, orchestrator, run_key, ir_digest, code_digest, zen_version,"
        " parameters, tags, started_at, ended_at, closed_status, run_url, engine)": (
            f"{made(_RUN, run)}, {p}, {pipeline}, 'local', 'local', 'k', 'ir', 'code', '0.1', '{{}}',"
            f" '[]', {began}, {began} + {STEPS * _STEP}, 'completed', '', '{{}}' FROM n WHERE {step} = 0"
        ),
        "step_runs (step_run_id, project, run_id, step, map_index, kind)": (
            f"{made(_STEP_RUN, 'i')}, {p}, {made(_RUN, run)}, 'step_' || {step}, -1, 'step' FROM n"
        ),
        "attempts (attempt_id, step_run_id, project, number, status, ir_digest, code_digest, fingerprint,"
        " cache_enabled, cache_key, key_parts, environment_digest, log_url, log_location, engine, started_at,"
        " heartbeat_at, ended_at, reused_attempt_id, cache_reason)": (
            f"{made(_ATTEMPT, 'i')}, {made(_STEP_RUN, 'i')}, {p}, 1,"
            f" CASE WHEN {is_cached} THEN 'cached' ELSE 'completed' END, 'ir', 'code', 'f',"
            f" {yes}, {key(maker)}, {parts}, 'env', '', '', '{{}}', {began}, {began}, {began} + {_STEP},"
            f" CASE WHEN {is_cached} THEN {made(_ATTEMPT, maker)} END, 'new' FROM n"
        ),
        "artifacts (artifact_id, project, pipeline, name, digest, stored_digest, type, serializer, serializer_version,"
        " location, size_bytes, kind, has_inline_value, metadata, step_run_id, attempt_id, version, created_at)": (
            f"{made(_ARTIFACT, 'i')}, {p}, {pipeline}, 'step_' || {step}, {key('i')}, {key('i')}, 'int', 'json', 1,"
            f" 'objects/' || {key('i')}, 8, 'value', {no}, '{{}}', {made(_STEP_RUN, 'i')}, {made(_ATTEMPT, 'i')},"
            f" {run} / {PIPELINES} + 1, {began} + {_STEP} FROM n WHERE NOT {is_cached}"
        ),
        "attempt_outputs (attempt_id, project, output, digest, artifact_id)": (
            f"{made(_ATTEMPT, 'i')}, {p}, 'result', {key(maker)}, {made(_ARTIFACT, maker)} FROM n"
        ),
        "attempt_inputs (attempt_id, project, port, path, digest, artifact_id)": (
            f"{made(_ATTEMPT, 'i')}, {p}, 'previous', '', {key(before)}, {made(_ARTIFACT, before)} FROM n"
            f" WHERE {step} > 0"
        ),
        "metrics (attempt_id, project, position, name, value, logged_at)": (
            f"{made(_ATTEMPT, 'i')}, {p}, 0, 'loss', 0.5, {began} FROM n WHERE NOT {is_cached}"
        ),
        "cache_entries (project, cache_key, attempt_id, step_run_id, run_id, created_at, nondeterministic)": (
            f"{p}, {key('i')}, {made(_ATTEMPT, 'i')}, {made(_STEP_RUN, 'i')}, {made(_RUN, run)}, {began} + {_STEP},"
            f" {no} FROM n WHERE NOT {is_cached}"
        ),
        "leases (project, cache_key, token, attempt_id, step_run_id, expires_at, released_at)": (
            f"{p}, {key('i')}, 1, {made(_ATTEMPT, 'i')}, {made(_STEP_RUN, 'i')}, {began}, {began} FROM n"
            f" WHERE NOT {is_cached}"
        ),
        "outbox (project, event, run_id, step_run_id, attempt_id, created_at, tries, done_at)": (
            f"{p}, 'attempt_ended', {made(_RUN, run)}, {made(_STEP_RUN, 'i')}, {made(_ATTEMPT, 'i')}, {began}, 0,"
            f" {began} FROM n"
        ),
        "links (tracker, subject_id, external_id)": f"'mlflow', {made(_ATTEMPT, 'i')}, {made(8, 'i')} FROM n",
    }
    inserts["artifact_names (project, pipeline, name, last_version)"] = (
        f"{p}, 'pipeline_' || (i / {STEPS}), 'step_' || (i % {STEPS}), {end // STEPS // PIPELINES} FROM n WHERE true"
        " ON CONFLICT (project, pipeline, name) DO UPDATE SET last_version = excluded.last_version"
    )
    named = _numbers(0, STEPS * PIPELINES)
    return [
        f"INSERT INTO zen_{target} {named if target.startswith('artifact_names') else numbers} SELECT {source}"
        for target, source in inserts.items()
    ]


def _numbers(start: int, end: int) -> str:
    first = f"SELECT CAST({start} AS BIGINT)"
    return f"WITH RECURSIVE n(i) AS ({first} UNION ALL SELECT i + 1 FROM n WHERE i < {end - 1})"
