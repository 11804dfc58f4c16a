"""The lineage store goes at any moment of a run, hangs, or is started anew: nothing is lost, nothing is doubled.

Every run goes through a wire to PostgreSQL, which is cut at one message and stays cut until the run is over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from integration_tests.conftest import require
from integration_tests.faults.invariants import check_invariants
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import wait_until
from integration_tests.services.wire import Wire
from zen_core.adapter.protocol import RunOutcome, RunRequest
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.errors import StoreUnavailableError
from zen_local import LocalAdapter
from zen_metadata.lineage.records import RunRecord
from zen_metadata.lineage.sql import connections, open_lineage_store
from zen_metadata.query import Client
from zen_metadata.shim import workspace as workspaces
from zen_metadata.shim.closing import close_run
from zen_metadata.shim.replaying import ReplayReport, replay
from zen_metadata.shim.run_step import StepCall, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import Workspace, open_workspace

# One step of every kind: cached, executed, a map's elements, its collector, a gate, one that fails, and a teardown.
PIPELINE = """
from pathlib import Path
from zen_core import Cache, pipeline, step, when

@step(cache=Cache(wait="1s"))
def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))

@step
def times(number: int, by: int) -> int:
    return number * by

@step
def total(numbers: list[int]) -> int:
    return sum(numbers)

@step
def praise(total: int) -> str:
    return f"{total} is a lot"

@step
def fail(total: int) -> int:
    raise ValueError(f"no luck with {total}")

@step
def tidy() -> None:
    print("tidied")

@pipeline(on_failure=tidy)
def everything(count: int = 2, by: int = 1):
    added = total(times.map(number=numbers(count), by=by))
    with when(added > 0):
        praise(added)
    fail(added)

@step
def first(by: int) -> int:
    return by

@step
def second(number: int) -> int:
    return number + 1

@pipeline
def chain(by: int = 1):
    second(first(by))
"""
EXPECTED = {
    "numbers": "cached or completed",
    "times[0]": "completed",
    "times[1]": "completed",
    "total": "completed",
    "praise": "completed",
    "fail": "failed",
    "tidy": "completed",
}
STRIDE = int(os.environ.get("ZEN_TEST_STRIDE", "24"))
"""Of all moments of a run, each so many."""


class Fault:
    """What the wire does to messages: nothing, lose the connection at one and all that follow, or hold them back."""

    def __init__(self) -> None:
        self.heal()

    def heal(self) -> None:
        """Pass everything on."""
        self.seen = 0
        self.cut_at: int | None = None
        self.when: Literal["before", "after"] = "before"
        self.hangs = False

    def cut(self, at: int, when: Literal["before", "after"] = "before") -> None:
        """Lose the message `at` before or after the server got it, and everything after it."""
        self.heal()
        self.cut_at, self.when = at, when

    def __call__(self, data: bytes) -> Literal["before", "after"] | None:
        while self.hangs:
            time.sleep(0.02)
        position, self.seen = self.seen, self.seen + 1
        if self.cut_at is None or position < self.cut_at:
            return None
        return self.when if position == self.cut_at else "before"


class Project:
    """A project whose lineage store is behind a wire."""

    def __init__(self, folder: Path, server: PostgresServer, wire: Wire, fault: Fault, database: str) -> None:
        self.folder = folder
        self.fault = fault
        self.url = f"postgresql://postgres@127.0.0.1:{server.port}/{database}"
        self.variables = {
            "ZEN_LINEAGE_URL": f"postgresql://postgres@127.0.0.1:{wire.port}/{database}?connect_timeout=2",
            "ZEN_MLFLOW_SYNC": "off",
        }
        (folder / "zen.toml").write_text('project = "outages"\n')
        self.module = f"outages_{uuid.uuid4().hex[:8]}"
        (folder / f"{self.module}.py").write_text(PIPELINE)

    def settings(self, **variables: str) -> Settings:
        return load_settings(self.folder, environ={**self.variables, **variables}).with_local_defaults()

    def request(self, pipeline: str, settings: Settings, by: int) -> RunRequest:
        built = load_pipeline(f"{self.module}:{pipeline}", settings).build()
        manifest = build_manifest(built.spec, built.functions, settings)
        return RunRequest(manifest=manifest, functions=built.functions, settings=settings, parameters={"by": by})

    def run(self, by: int, **variables: str) -> RunOutcome:
        return LocalAdapter().run(self.request("everything", self.settings(**variables), by))

    def replay(self) -> ReplayReport:
        """What `zen sync` does first."""
        self.fault.heal()
        with closing(open_lineage_store(self.url)) as store:
            return replay(store, self.artifacts)

    @property
    def artifacts(self) -> Any:
        from zen_metadata.artifacts.store import ArtifactStore

        return ArtifactStore(self.settings().artifact_url)

    @property
    def spooled(self) -> list[str]:
        found: list[str] = self.artifacts.list("spool")
        return found

    def shown(self, run_id: str) -> tuple[str, dict[str, tuple[str, int]]]:
        """The run's status, and the status and attempts of its steps."""
        with Client(self.settings(ZEN_LINEAGE_URL=self.url)) as client:
            run = client.run(run_id)
            kinds = {"step", "hook"}
            return run.status, {step.label: (step.status, step.attempts) for step in run.steps if step.kind in kinds}

    def check(self) -> None:
        check_invariants(self.url, self.settings().artifact_url)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    require(request, "postgresql", PostgresServer.missing())
    with PostgresServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: PostgresServer) -> Iterator[Project]:
    fault = Fault()
    database = f"zen_{uuid.uuid4().hex[:8]}"
    server.create_database(database)
    path = list(sys.path)
    with Wire(server.port, cut=fault) as wire:
        yield Project(tmp_path, server, wire, fault, database)
        fault.heal()
    sys.path[:] = path


def assert_whole(project: Project, outcome: RunOutcome, moment: str) -> None:
    """Every step of the run is recorded as one attempt, with what the user's code did."""
    assert outcome.status == "failed", moment
    assert str(outcome.error).startswith("no luck with"), f"{moment}: {outcome.error!r}"
    status, steps = project.shown(outcome.run_id)
    assert status == "failed", moment
    expected = {name: (status, 1) for name, status in EXPECTED.items()}
    expected["numbers"] = (steps["numbers"][0], 1)
    assert steps == expected, moment
    assert steps["numbers"][0] in ("cached", "completed"), moment


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_store_lost_at_any_moment_of_a_run_loses_and_doubles_nothing(
    project: Project, when: Literal["before", "after"]
) -> None:
    project.run(0)
    project.fault.heal()
    outcome = project.run(1)
    moments = project.fault.seen
    assert_whole(project, outcome, "without a fault")
    assert moments > 3 * STRIDE
    # Before and after meet other moments, so that together they meet twice as many.
    for at in range(0 if when == "before" else STRIDE // 2, moments, STRIDE):
        project.fault.cut(at, when)
        outcome = project.run(at + 2)
        report = project.replay()
        assert (report.pending, list(report.refused)) == (0, [])
        assert_whole(project, outcome, f"cut {when} message {at} of {moments}")
        assert project.spooled == []
    project.check()


# -- tasks that are processes of their own ---------------------------------------------------------------------------


class Tasks:
    """Starts the steps of a run as an orchestrator does: each opens the stores anew, and knows only refs."""

    def __init__(self, project: Project, settings: Settings) -> None:
        self.project = project
        self.settings = settings
        self.request = project.request("chain", settings, by=1)
        self.run: RunRecord = new_run(
            self.request.manifest,
            settings,
            orchestrator="local",
            run_key=uuid.uuid4().hex,
            overrides={"by": 1},
            tick=datetime.now(UTC),
        )
        self.refs: dict[str, Any] = {}

    @contextmanager
    def opened(self) -> Iterator[Workspace]:
        workspace = open_workspace(self.settings, remote=False)
        try:
            yield workspace
        finally:
            workspace.close()

    def start(self, step: str) -> None:
        function = next(f for name, f in self.request.functions.items() if name.endswith(f":{step}"))
        with self.opened() as workspace:
            call = StepCall(
                manifest=self.request.manifest, step=step, run=self.run, upstream=self.refs, function=function
            )
            self.refs[step] = {name: dict(ref) for name, ref in run_step(call, workspace).refs.items()}

    def close(self) -> str | None:
        with self.opened() as workspace:
            return close_run(workspace, self.run, self.request.manifest, pass_output=False)

    def assert_recorded(self) -> None:
        status, steps = self.project.shown(self.run.run_id)
        assert (status, steps) == ("completed", {"first": ("completed", 1), "second": ("completed", 1)})
        self.project.check()


def test_a_task_whose_input_only_the_store_knows_waits_for_it_and_not_for_ever(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = Tasks(project, project.settings())
    tasks.start("first")
    project.fault.cut(0)
    monkeypatch.setattr(workspaces, "_PATIENCE_SECONDS", 0.5)
    with pytest.raises(StoreUnavailableError, match="recorded in the lineage store alone, which is away") as caught:
        tasks.start("second")
    assert "with @step(retry=...) the orchestrator does it" in str(caught.value)
    monkeypatch.setattr(workspaces, "_PATIENCE_SECONDS", 30.0)
    threading.Timer(1.0, project.fault.heal).start()
    tasks.start("second")
    assert project.replay().replayed == 1, "the attempt that failed"
    assert tasks.close() == "completed"
    status, steps = project.shown(tasks.run.run_id)
    assert (status, steps["second"]) == ("completed", ("completed", 2))
    project.check()


def test_a_run_of_tasks_without_a_store_is_recorded_and_closed_later(project: Project) -> None:
    with closing(open_lineage_store(project.url)) as store:
        store.find_runs()
    tasks = Tasks(project, project.settings())
    project.fault.cut(0)
    tasks.start("first")
    tasks.start("second")
    assert tasks.close() is None
    assert project.replay().replayed == 3
    with Client(project.settings(ZEN_LINEAGE_URL=project.url)) as client:
        assert client.run(tasks.run.run_id).record.closed_status == "completed"
    tasks.assert_recorded()


def test_what_was_replayed_while_a_task_took_the_store_for_away_is_found(project: Project) -> None:
    tasks = Tasks(project, project.settings())
    project.fault.cut(0)
    tasks.start("first")
    with tasks.opened() as workspace:
        artifact_id = tasks.refs["first"]["result"]["artifact_id"]
        assert workspace.get_artifact(artifact_id) is not None
        assert workspace.is_away
        assert project.replay().replayed == 1
        workspace._artifacts.clear()
        assert workspace.get_artifact(artifact_id) is not None, "asked again, though it was away a moment ago"


def test_with_the_policy_fail_no_code_runs_without_a_store_and_nothing_is_spooled(project: Project) -> None:
    project.run(0)
    project.fault.heal()
    project.run(1)
    moments = project.fault.seen
    for at in (0, moments // 3, moments // 2, moments - 5):
        project.fault.cut(at)
        try:
            outcome = project.run(at + 2, ZEN_ON_STORE_ERROR="fail")
        except StoreUnavailableError:  # before the first step, or after the last
            outcome = None
        project.fault.heal()
        assert project.spooled == []
        if outcome is not None:
            assert isinstance(outcome.error, (StoreUnavailableError, ValueError))
            assert project.shown(outcome.run_id)[0] in ("failed", "running")
    assert_whole(project, project.run(1_000), "afterwards")
    check_invariants(project.url, project.settings().artifact_url, settled=False)


# -- a store that hangs, and one that is started anew ----------------------------------------------------------------


def test_a_store_that_hangs_costs_a_bounded_time(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "LONGEST_TRANSACTION_SECONDS", 1.0)
    tasks = Tasks(project, project.settings())
    tasks.start("first")
    with tasks.opened() as workspace:
        workspace.lineage.find_runs()
        project.fault.hangs = True
        began = time.monotonic()
        assert workspace.ask(lambda lineage: lineage.find_runs(), None) == (None, False)
        assert time.monotonic() - began < 15
        began = time.monotonic()
        assert workspace.ask(lambda lineage: lineage.find_runs(), None) == (None, False)
        assert time.monotonic() - began < 1, "it is not asked again at once"
    told = [record.getMessage() for record in caplog.records if "the lineage store is away" in record.getMessage()]
    assert len(told) == 1
    assert "zen sync" in told[0]
    project.fault.heal()
    tasks.start("second")
    tasks.close()
    tasks.assert_recorded()


# Processes that each run the pipeline, over and over until told to end.
MANY = """
import os, sys, time, traceback
from pathlib import Path
import zen_local.runtime, zen_metadata.lineage.sql.store, psycopg
from {module} import chain
from zen_core.errors import StoreUnavailableError

def work(number):
    count = 0
    while not Path("end").exists() or count == 0:
        try:
            chain.run(by=number * 1000 + count)
        except StoreUnavailableError as error:  # what it did cannot be shown now
            assert "completed; what it did is spooled" in str(error.__notes__), error
        count += 1
    Path(f"runs-{{number}}").write_text(str(count))

children = []
for number in range(int(sys.argv[1])):
    children.append(os.fork())
    if children[-1] == 0:
        code = 1
        try:
            work(number)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def test_a_server_that_is_started_anew_under_load_loses_and_doubles_nothing(
    project: Project, server: PostgresServer
) -> None:
    command = [sys.executable, "-c", MANY.format(module=project.module), "20"]
    variables = {**os.environ, **project.variables, "ZEN_LINEAGE_URL": project.url}
    process = subprocess.Popen(
        command, cwd=project.folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until(lambda: _count_attempts(project) >= 20, 60, what="the processes to be at work")
        server.pause()
        before = len(project.spooled)
        wait_until(lambda: len(project.spooled) > before + 10, 60, what="facts to be spooled")
        server.start()
        recorded = _count_attempts(project)
        time.sleep(0.5)
    finally:
        (project.folder / "end").touch()
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    runs = sum(int(path.read_text()) for path in project.folder.glob("runs-*"))
    assert project.replay().pending == 0
    assert recorded > 0
    with psycopg.connect(project.url) as connection:
        query = "SELECT step, count(*) FROM zen_attempts JOIN zen_step_runs USING (step_run_id) GROUP BY step"
        counts: dict[str, int] = dict(connection.execute(query).fetchall())
    assert counts == {"first": runs, "second": runs}
    project.check()


def _count_attempts(project: Project) -> int:
    with psycopg.connect(project.url) as connection:
        try:
            (count,) = connection.execute("SELECT count(*) FROM zen_attempts").fetchone() or (0,)
        except psycopg.errors.UndefinedTable:
            return 0
    return int(count)
