"""An MLflow that is busy, broken, silent, away, or has forgotten; and a projection that is killed at every point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from integration_tests.services.http_front import HANG, HttpFront
from integration_tests.services.mlflow_server import MlflowServer
from integration_tests.services.processes import wait_until
from zen_core.contract.settings import Settings
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking.sync import sync

PIPELINE = """
from zen_core import log_metric, log_params, pipeline, step

@step(cache=False)
def make(size: int) -> int:
    log_params({"seed": 7})
    log_metric("total", float("nan"))
    return size

@pipeline
def made(size: int = 3):
    make(size)

if __name__ == "__main__":
    import sys
    for _ in range(int(sys.argv[1])):
        made.run()
"""

# Records a run, projects it in a process that is killed after the n-th call to MLflow or the store, and then in one
# that is not; for every n that there is.
KILLED_EVERYWHERE = """
import os, signal, traceback
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from mlflow import MlflowClient
from zen_core.contract.settings import load_settings
from zen_metadata.lineage.sql.store import SqlLineageStore
from zen_metadata.tracking import parent_run
from zen_metadata.tracking.sync import sync
from pipeline import made

parent_run._CLAIM_SECONDS = 0.2
calls = 0

def kill_after(owner, name, point):
    act = getattr(owner, name)
    def counted(*arguments, **options):
        global calls
        answer = act(*arguments, **options)
        calls += 1
        if calls == point:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(owner, name, counted)

def project(point):
    for name in ("create_run", "log_batch", "set_terminated"):
        kill_after(MlflowClient, name, point)
    for name in ("claim_link", "save_link", "finish_outbox"):
        kill_after(SqlLineageStore, name, point)
    report = sync(load_settings(Path.cwd()).with_local_defaults())
    assert not report.error and not report.pending, report

def in_a_process(act, *arguments):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act(*arguments)
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

point = 1
while True:
    assert in_a_process(made.run) == 0
    code = in_a_process(project, point)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    assert in_a_process(project, -1) == 0
    point += 1
print(point)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "zen.toml").write_text('mlflow_sync = "off"\n')
    return tmp_path


@pytest.fixture
def front(mlflow_server: MlflowServer) -> Iterator[HttpFront]:
    with HttpFront(mlflow_server.port) as started:
        yield started


@pytest.fixture
def settings(project: Path, front: HttpFront) -> Settings:
    """A project of its own, so an experiment of its own in the server behind the front."""
    return Settings(root=project, project=project.name, mlflow_tracking_uri=front.url).with_local_defaults()


@pytest.fixture
def store(settings: Settings) -> Iterator[LineageStore]:
    with closing(open_lineage_store(settings.lineage_url)) as opened:
        yield opened


def environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, "ZEN_PROJECT": settings.project, "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri}


def record(settings: Settings, runs: int) -> list[str]:
    """Runs of one step each, oldest first; three facts to show of each: two ends and how it is told twice is one."""
    subprocess.run([sys.executable, "pipeline.py", str(runs)], cwd=settings.root, env=environment(settings), check=True)
    with closing(open_lineage_store(settings.lineage_url)) as opened:
        return [run.run_id for run in reversed(opened.find_runs(settings.project))]


def shown(tracking_uri: str, project: str) -> Counter[tuple[str, str]]:
    """How often MLflow shows each run (`run`) and each step (`step`) as done, with all that was logged, by run id."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name(project)
    assert experiment is not None
    found: Counter[tuple[str, str]] = Counter()
    for run in client.search_runs([experiment.experiment_id], max_results=1000):
        assert run.info.status == "FINISHED"
        if run.data.tags["zen.kind"] == "step":
            assert (run.data.params, list(run.data.metrics)) == ({"size": "3", "seed": "7"}, ["total"])
        found[run.data.tags["zen.kind"], run.data.tags["zen.run_id"]] += 1
    return found


def each_once(runs: list[str]) -> Counter[tuple[str, str]]:
    return Counter({(kind, run_id): 1 for kind in ("run", "step") for run_id in runs})


def times(count: int, status: int, where: str) -> Callable[[str, bytes], int | None]:
    """A rule that answers so many requests, whose path ends so, with a status."""
    left = [count]

    def rule(path: str, _body: bytes) -> int | None:
        if not path.partition("?")[0].endswith(where) or left[0] == 0:
            return None
        left[0] -= 1
        return status

    return rule


def test_a_projection_that_is_killed_at_any_point_loses_and_doubles_nothing(project: Path) -> None:
    tracking = f"sqlite:///{project}/mlflow.db"
    settings = Settings(root=project, project="killed", mlflow_tracking_uri=tracking).with_local_defaults()
    done = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE],
        cwd=project,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
    with closing(open_lineage_store(settings.lineage_url)) as opened:
        runs = [run.run_id for run in opened.find_runs("killed")]
    assert shown(tracking, "killed") == each_once(runs)


def test_a_busy_or_broken_server_gets_everything_once_and_one_record_holds_up_no_other(
    settings: Settings, front: HttpFront, store: LineageStore
) -> None:
    runs = record(settings, runs=5)
    front.retry_after = "3600"  # MLflow's own client would wait so long

    front.before = times(2, 429, "/runs/create")
    assert sync(settings, run_id=runs[0]).error == ""
    front.before = times(0, 0, "")
    front.after = times(2, 500, "/runs/create")  # made, and the answer lost
    assert sync(settings, run_id=runs[1]).error == ""
    front.after = times(1, 503, "/runs/log-batch")
    assert sync(settings, run_id=runs[2]).error == ""

    def poison(path: str, body: bytes) -> int | None:
        return 500 if path.endswith("/log-batch") and b'"seed"' in body else None

    front.before, front.after = poison, times(0, 0, "")
    report = sync(settings, run_id=runs[3])
    assert (report.projected, report.pending, report.failed) == (1, 1, 1)
    assert store.outbox_lag(settings.project, run_id=runs[3])["mlflow"].refused == 1
    assert sync(settings, only_due=True, run_id=runs[4]).failed == 1

    front.pass_everything()
    assert sync(settings).error == ""
    assert store.outbox_lag(settings.project) == {}
    assert shown(front.url, settings.project) == each_once(runs)


def test_a_server_that_is_silent_or_gone_costs_little_and_gets_the_backlog_later(
    settings: Settings, front: HttpFront, store: LineageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    runs = record(settings, runs=8)
    for before in (times(-1, HANG, ""), times(-1, 503, "")):
        front.requests.clear()
        front.before = before
        report = sync(settings)
        assert (report.projected, report.pending) == (0, 16)
        assert "MLflow cannot be reached" in report.error
        assert len(front.requests) < 10  # not one for each of the facts
        lag = store.outbox_lag(settings.project)["mlflow"]
        assert (lag.pending, lag.refused) == (16, 0)
        assert lag.last_error

    front.pass_everything()
    assert (sync(settings).projected, store.outbox_lag(settings.project)) == (16, {})
    assert shown(front.url, settings.project) == each_once(runs)


def test_runs_that_the_server_never_heard_of_are_made_again(
    settings: Settings, front: HttpFront, store: LineageStore
) -> None:
    (run,) = record(settings, runs=1)
    (step,) = [state.step_run.step_run_id for state in store.get_step_runs(run)]
    for subject in (run, step):
        store.save_link("mlflow", subject, uuid.uuid4().hex)
    report = sync(settings)
    assert (report.pending, report.error) == (0, "")
    assert "they were made again, whole" in report.note
    assert shown(front.url, settings.project) == each_once([run])


def test_watching_goes_on_while_the_server_is_away_and_ends_when_it_is_told_to(
    settings: Settings, front: HttpFront
) -> None:
    front.before = times(-1, 403, "")
    runs = record(settings, runs=1)
    watching = subprocess.Popen(
        [sys.executable, "-m", "zen_core.cli", "sync", "--watch", "--interval", "0.2", "--json"],
        cwd=settings.root,
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    assert (first["projected"], first["pending"]) == (0, 2)
    assert "MLflow cannot be reached" in first["error"]
    seen = len(front.requests)
    wait_until(lambda: len(front.requests) > seen, 60, what="another try")
    front.pass_everything()
    second: dict[str, Any] = json.loads(watching.stdout.readline())
    assert (second["projected"], second["pending"], second["error"]) == (2, 0, "")
    watching.send_signal(signal.SIGTERM)
    started = time.monotonic()
    rest, _ = watching.communicate(timeout=60)
    assert (watching.returncode, rest) == (0, "")
    assert time.monotonic() - started < 30
    assert shown(front.url, settings.project) == each_once(runs)
