"""No question to the store reads a table whole, however long the history: SQLite says how it would answer each."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from zen_metadata.lineage.retention import InUse, Tombstone
from zen_metadata.lineage.sql.store import SqlLineageStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
IN_USE = InUse(since=NOON)
TOMBSTONE = Tombstone(by="me", reason="asked")


class Facts:
    """A store with a run of two steps, whose last result was reused, and names for what the questions need."""

    def __init__(self, story: Any) -> None:
        self.story = story
        self.store = story.store
        self.run = story.run()
        self.source = story.execute(self.run, "load", key="sha256:load")
        self.made = story.execute(self.run, "fit", key="sha256:fit", reads=(self.source,))
        (self.record,) = self.store.find_artifacts("shop", name="fit")
        self.step_run = story.step_run(self.run, "fit")
        self.ids = [self.source.artifact_id, self.made.artifact_id]
        self.run_ids = [self.run.run_id]

    def attempt_once(self, status: str) -> None:
        """An attempt from its beginning to its end."""
        step_run = self.story.step_run(self.run, f"again_{status}")
        attempt = self.story.attempt(step_run, f"sha256:{status}")
        start = self.story.start(step_run, attempt)
        self.story.end(self.run, step_run, attempt, status, lease=start.lease)

    def delete_attempts(self) -> None:
        """Those of a run that nothing needs any more."""
        self.store.bury(self.ids, TOMBSTONE)
        self.store.finish_outbox([row.outbox_id for row in self.store.pending_outbox()])
        assert self.store.delete_attempts(self.run.run_id, before=datetime.now(UTC) + timedelta(days=1))


Call = Callable[[Facts], object]
CALLS: dict[str, list[Call]] = {
    "open_run": [lambda f: f.store.open_run(f.run, {})],
    "save_environment": [lambda f: f.store.save_environment("shop", "sha256:e", {})],
    "save_ir": [lambda f: f.store.save_ir("shop", "sha256:ir", {})],
    "save_code": [lambda f: f.store.save_code("shop", "sha256:c", {})],
    "save_left_out": [lambda f: f.store.save_left_out("shop", "sha256:c", [])],
    "find_cached": [lambda f: f.store.find_cached("shop", "sha256:fit", max_age_seconds=5)],
    "look_up": [lambda f: f.store.look_up("shop", "sha256:fit")],
    "start_attempt": [lambda f: f.story.start(f.step_run, f.story.attempt(f.step_run, "sha256:new"))],
    "lose_attempt": [lambda f: f.store.lose_attempt("unknown")],
    "heartbeat": [lambda f: f.store.heartbeat(["unknown"], [])],
    "end_attempt": [lambda f: f.attempt_once("completed"), lambda f: f.attempt_once("failed")],
    "end_run": [lambda f: f.store.end_run(f.run.run_id, "completed")],
    "apply_once": [lambda f: f.store.apply_once("event", lambda: None)],
    "claim_once": [lambda f: f.store.claim_once("claim")],
    "pin_artifact": [lambda f: f.store.pin_artifact(f.run.run_id, "fit", f.ids[0])],
    "find_pins": [lambda f: f.store.find_pins(f.run.run_id, ["fit"])],
    "find_file_digest": [lambda f: f.store.find_file_digest("a.csv", "1")],
    "remember_file_digest": [lambda f: f.store.remember_file_digest("a.csv", "1", "sha256:d")],
    "adopt_artifacts": [lambda f: f.store.adopt_artifacts([f.story.artifact("other")])],
    "pending_outbox": [
        lambda f: f.store.pending_outbox(),
        lambda f: f.store.pending_outbox(run_id=f.run.run_id),
        lambda f: f.store.pending_outbox(project="shop", after=1),
        lambda f: f.store.pending_outbox(project="shop", run_id=f.run.run_id, projection="openlineage"),
    ],
    "finish_outbox": [lambda f: f.store.finish_outbox([99])],
    "fail_outbox": [lambda f: f.store.fail_outbox([99], "no")],
    "outbox_lag": [lambda f: f.store.outbox_lag("shop"), lambda f: f.store.outbox_lag("shop", run_id=f.run.run_id)],
    "claim_link": [lambda f: f.store.claim_link("mlflow", "subject", claimant="me")],
    "save_link": [lambda f: f.store.save_link("mlflow", "subject", "external")],
    "drop_links": [lambda f: f.store.drop_links("mlflow", {"subject": "external"})],
    "find_links": [lambda f: f.store.find_links("mlflow", ["subject"])],
    "get_artifacts": [lambda f: f.store.get_artifacts(f.ids)],
    "find_artifacts": [
        lambda f: f.store.find_artifacts("shop", limit=10),
        lambda f: f.store.find_artifacts("shop", limit=10, before=f.record),
        lambda f: f.store.find_artifacts("shop", limit=10, after=f.record),
        lambda f: f.store.find_artifacts("shop", name="fit", pipeline="train", limit=10),
        lambda f: f.store.find_artifacts("shop", name="fit", pipeline="train", limit=10, before=f.record),
        lambda f: f.store.find_artifacts("shop", name="fit", pipeline="train", limit=10, after=f.record),
        lambda f: f.store.find_artifacts("shop", name="fit", pipeline="train", version=1),
        lambda f: f.store.find_artifacts("shop", name="data.csv", kind="source", limit=1),
    ],
    "find_artifact_names": [lambda f: f.store.find_artifact_names("shop", name="fit")],
    "find_version": [
        lambda f: f.store.find_version("shop", "train", "fit", None),
        lambda f: f.store.find_version("shop", "train", "fit", 1),
    ],
    "find_newest": [lambda f: f.store.find_newest(f.ids)],
    "find_rolled_back": [lambda f: f.store.find_rolled_back("shop")],
    "find_rollbacks": [lambda f: f.store.find_rollbacks("shop", "train", "fit")],
    "roll_back": [lambda f: f.store.roll_back("shop", "train", "fit", 1, by="me", reason="")],
    "find_runs": [
        lambda f: f.store.find_runs(limit=10),
        *(
            lambda f, pipeline=pipeline, page=page: f.store.find_runs("shop", pipeline=pipeline, limit=10, **page(f))
            for pipeline in (None, "train")
            for page in (
                lambda f: {},
                lambda f: {"skip": 5},
                lambda f: {"before": f.run},
                lambda f: {"after": f.run},
            )
        ),
    ],
    "find_run": [lambda f: f.store.find_run(f.run.run_id[:6], "shop"), lambda f: f.store.find_run(f.run.run_id)],
    "find_pipelines": [lambda f: f.store.find_pipelines("shop")],
    "get_ir": [lambda f: f.store.get_ir("shop", "sha256:ir")],
    "get_codes": [lambda f: f.store.get_codes("shop", ["sha256:c"])],
    "find_left_out": [lambda f: f.store.find_left_out("shop", "sha256:c")],
    "get_environment": [lambda f: f.store.get_environment("shop", "sha256:e")],
    "get_step_runs": [lambda f: f.store.get_step_runs(f.run.run_id)],
    "get_attempts": [lambda f: f.store.get_attempts(f.step_run.step_run_id)],
    "get_step_run_records": [lambda f: f.store.get_step_run_records([f.step_run.step_run_id])],
    "find_earlier_attempts": [
        lambda f: f.store.find_earlier_attempts("shop", "train", ["fit"], before=NOON, but_run="r")
    ],
    "find_step_statuses": [lambda f: f.store.find_step_statuses(f.run_ids)],
    "find_answers": [lambda f: f.store.find_answers(f.run_ids)],
    "find_outputs": [
        lambda f: f.store.find_outputs(f.run.run_id, "fit"),
        lambda f: f.store.find_outputs(f.run.run_id, "fit", map_index=1),
    ],
    "find_producers": [lambda f: f.store.find_producers(f.ids)],
    "find_consumers": [lambda f: f.store.find_consumers(f.ids), lambda f: f.store.find_consumers(f.ids, limit=5)],
    "find_ancestors": [lambda f: f.store.find_ancestors(f.ids, limit=5)],
    "find_descendants": [lambda f: f.store.find_descendants(f.ids, limit=5)],
    "list_artifacts": [lambda f: f.store.list_artifacts(after=f.ids[0])],
    "find_used": [lambda f: f.store.find_used(f.ids, IN_USE)],
    "bury_unused": [lambda f: f.store.bury_unused(f.ids, TOMBSTONE, IN_USE)],
    "bury": [lambda f: f.store.bury(f.ids, TOMBSTONE)],
    "find_applied_events": [lambda f: f.store.find_applied_events(["event"])],
    "find_known_attempts": [lambda f: f.store.find_known_attempts(["a"])],
    "find_known_runs": [lambda f: f.store.find_known_runs(f.run_ids)],
    "list_cache_entries": [
        lambda f: f.store.list_cache_entries("shop", limit=10),
        lambda f: f.store.list_cache_entries("shop", key="sha256:fi", limit=10),
        lambda f: f.store.list_cache_entries("shop", pipeline="train", step="fit", limit=10),
    ],
    "invalidate_cache_entries": [lambda f: f.store.invalidate_cache_entries("shop", ["sha256:fit"])],
    "delete_attempts": [lambda f: f.delete_attempts()],
    "delete_run": [lambda f: f.store.delete_run(f.run.run_id)],
    "find_cache_use": [lambda f: f.store.find_cache_use("shop", since=NOON)],
}
READS_ALL = {
    "find_open_runs": "zen gc, which goes through all artifacts anyway; an index would cost each attempt two writes",
    "find_oldest_running": "zen gc",
    "find_code_digests": "zen gc: which code bundles are named at all",
    "find_same_content": "zen forget: an index of digests would cost each artifact two writes at random places",
    "has_projected": "once before a drain, where the first row that was projected answers",
    "request_projection": "zen sync --again: on demand, and for all runs of the project where it says so",
    "find_old_runs": "zen store prune",
    "delete_traces": "zen store prune",
    "delete_done_events": "zen store prune",
    "find_unnamed_documents": "zen store prune",
    "delete_documents": "zen store prune",
}
ALIASES = {"later", "newer", "made", "reused", "reused_step"}
WHOLE_PROJECT = re.compile(r"SEARCH (?P<table>\w+) USING .*\(project=\?(?: AND kind=\?)?\)")
WHOLE_TABLE = re.compile(r"SCAN (?P<table>\w+)")
SMALL = {"zen_rollbacks"}
"""Tables that grow with what people do, not with what runs."""
PENDING = ("ix_zen_outbox_pending", "ix_zen_outbox_run")
"""Indexes of what is pending alone."""


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite alone: PostgreSQL chooses its plans by what is in the tables."""
    return f"sqlite:///{tmp_path}/zen.db"


@pytest.fixture
def facts(story: Any) -> Facts:
    return Facts(story)


@pytest.fixture
def statements(facts: Facts) -> Iterator[list[str]]:
    """What is asked of the store from now on, with its values."""
    asked: list[str] = []

    def listen(connection: Any, record: Any) -> None:
        connection.set_trace_callback(asked.append)

    event.listen(Engine, "connect", listen)
    facts.store.close()  # the next use opens a new connection
    yield asked
    event.remove(Engine, "connect", listen)


def what_reads_all(statement: str, plan: list[str]) -> list[str]:
    """The lines of a plan that grow with the history: those of a page in the order of an index do not."""
    is_page = "LIMIT" in statement and "USE TEMP B-TREE FOR ORDER BY" not in plan
    found = []
    for line in plan:
        match = WHOLE_TABLE.match(line) or WHOLE_PROJECT.match(line)
        if match is None or match["table"] in SMALL:
            continue
        is_table = match["table"].startswith("zen_") or match["table"] in ALIASES
        if is_table and not line.endswith(PENDING) and not (is_page and " USING " in line):
            found.append(line)
    return found


def test_every_question_is_in_the_list() -> None:
    methods = {name for name in vars(SqlLineageStore) if not name.startswith("_")}
    assert methods - {"close", "read_clock"} == CALLS.keys() | READS_ALL.keys()


@pytest.mark.parametrize("method", CALLS)
def test_nothing_reads_a_table_whole(method: str, facts: Facts, statements: list[str]) -> None:
    for call in CALLS[method]:
        call(facts)
    asked = [statement for statement in statements if re.match(r"SELECT|UPDATE|DELETE|INSERT|WITH", statement)]
    assert asked
    connection = sqlite3.connect(make_url(facts.story.url).database or "")
    for statement in dict.fromkeys(asked):
        if "sqlite_master" in statement or "zen_schema" in statement or "zen_alembic_version" in statement:
            continue
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not what_reads_all(statement, plan), f"{statement}\n" + "\n".join(plan)
    connection.close()


def test_a_question_that_reads_a_table_whole_is_found_out() -> None:
    assert what_reads_all("SELECT 1", ["SCAN zen_runs"])
    assert what_reads_all("SELECT 1", ["SEARCH zen_runs USING INDEX ix_zen_runs_project (project=?)"])
    paged = ["SEARCH zen_runs USING INDEX ix_zen_runs_project (project=?)", "USE TEMP B-TREE FOR LAST TERM OF ORDER BY"]
    assert not what_reads_all("SELECT 1 LIMIT 5", paged)
    assert what_reads_all("SELECT 1 LIMIT 5", [*paged, "USE TEMP B-TREE FOR ORDER BY"])
