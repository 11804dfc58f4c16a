"""What happens to flow runs: failures, retries, a kill, a cancel, a schedule, hostile parameters, secrets, upgrades."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project, statuses
from integration_tests.prefect.conftest import Deploy
from integration_tests.services.prefect import POOL, Prefect

PIPELINES = '''
import os
import time
from datetime import datetime
from pathlib import Path

from zen_core import Retry, Schedule, ScheduledTime, pipeline, step


@step(cache=False)
def begin(number: int) -> float:
    return number + time.time() / 1e12


@step(retry=Retry(times=2, delay="1s"))
def break_down(number: float, folder: str) -> int:
    if Path(folder, "mended").exists():
        return 1
    raise ValueError("out of order")


@step
def never(number: int) -> int:
    return number


@pipeline
def breaking(folder: str, number: int = 13):
    never(break_down(begin(number), folder))


@step
def long_work(folder: str, number: int) -> bytes:
    marker = Path(folder, "pid")
    if not marker.exists():
        marker.write_text(str(os.getpid()))
        time.sleep(600)
    return bytes([number]) * 1000


@pipeline
def working(folder: str, number: int = 7):
    long_work(folder, number)


@step
def echo(text: str, items: dict[str, list[float]]) -> str:
    print("the secret is", os.environ["ZEN_TEST_SECRET"])
    return text


@pipeline
def echoing(text: str = "{{ 1 + 1 }}", items: dict[str, list[float]] = {"a'\\\\": [0.1, 2]}):
    """Says {{ what }} it hears."""
    echo(text, items)


@step(cache=False)
def tell(day: datetime) -> str:
    return day.isoformat()


@pipeline(schedule=Schedule(cron="* * * * *", timezone="Europe/Berlin", overlap="skip"))
def ticking(day: datetime = ScheduledTime()):
    tell(day)


@step
def judge(size: int) -> str:
    return f"{size} by VERSION"


@pipeline(schedule=Schedule(cron="0 6 1 1 *", timezone="Europe/Berlin"))
def upgraded(size: int = 5):
    judge(size)
'''
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def project(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Pipelines of which each is deployed by its test; the ticking one at once, since its tick takes a while."""
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(PIPELINES)
    (folder / "zen.toml").write_text(
        f'project = "flow-runs"\n[adapters.prefect]\nwork_pool = "{POOL}"\nflows_folder = "{prefect.flows_folder}"\n'
    )
    prefect.run("zen", "deploy", "flows.py:ticking", "--for", "prefect", cwd=folder)
    return Project(folder, prefect.variables)


def test_a_failing_step_and_then_a_retry_of_the_flow_run(
    prefect: Prefect, project: Project, deploy: Deploy, tmp_path: Path
) -> None:
    flow_run = prefect.trigger(deploy(project, "flows.py:breaking"), {"folder": str(tmp_path)})
    assert prefect.wait(flow_run) == "FAILED"
    assert prefect.task_runs(flow_run) == {
        "begin": ("Completed", 1),
        "break_down": ("Failed", 3),
        "never": ("NotReady", 0),
    }
    failed = zen_run_of(project, flow_run)
    assert failed["status"] == "failed"
    assert statuses(failed) == {"begin": "completed", "break_down": "failed", "never": "upstream_failed"}
    assert attempts(failed) == {"begin": 1, "break_down": 3, "never": 0}
    assert "ValueError: out of order" in prefect.logs(flow_run)

    # the cause is mended, and a person presses Retry: what completed is not done again, though it is never cached
    (tmp_path / "mended").touch()
    prefect.set_state(flow_run, "SCHEDULED", "AwaitingRetry")
    prefect.wait_until(lambda: prefect.flow_run(flow_run)["run_count"] == 2, 60, "the flow run to be taken up again")
    assert prefect.wait(flow_run) == "COMPLETED", prefect.logs(flow_run)
    mended = zen_run_of(project, flow_run)
    assert mended["run_id"] == failed["run_id"]
    assert statuses(mended) == {"begin": "completed", "break_down": "completed", "never": "completed"}
    assert attempts(mended) == {"begin": 1, "break_down": 4, "never": 1}
    assert outputs(mended, "begin") == outputs(failed, "begin")
    assert mended["status"] == "completed"


def test_a_killed_flow_run_goes_on_where_it_was_and_a_cancelled_one_says_so(
    prefect: Prefect, project: Project, deploy: Deploy, tmp_path: Path
) -> None:
    (tmp_path / "cancelled").mkdir()
    (tmp_path / "killed").mkdir()
    deployment = deploy(project, "flows.py:working")
    killed = prefect.trigger(deployment, {"folder": str(tmp_path / "killed")})
    cancelled = prefect.trigger(deployment, {"folder": str(tmp_path / "cancelled"), "number": 8})
    for name in ("killed", "cancelled"):
        prefect.wait_until((tmp_path / name / "pid").exists, 90, f"the step of the {name} run to begin")

    with contextlib.suppress(ProcessLookupError):
        os.kill(int((tmp_path / "killed" / "pid").read_text()), signal.SIGKILL)
    prefect.set_state(cancelled, "CANCELLING", "Cancelling")
    assert prefect.wait(cancelled) == "CANCELLED"
    prefect.wait_until(lambda: zen_run_of(project, cancelled)["status"] == "cancelled", 60, "the cancel to be recorded")
    assert statuses(zen_run_of(project, cancelled)) == {"long_work": "cancelled"}

    assert prefect.wait(killed) == "CRASHED"
    prefect.set_state(killed, "SCHEDULED", "AwaitingRetry")
    prefect.wait_until(lambda: prefect.flow_run(killed)["state_type"] == "COMPLETED", 90, "the killed run to complete")
    document = zen_run_of(project, killed)
    assert statuses(document) == {"long_work": "completed"}
    assert attempts(document) == {"long_work": 2}
    assert document["steps"][0]["outputs"]["result"]["version"] == 1


def test_parameters_arrive_as_they_are_and_secrets_stay_where_they_are(
    prefect: Prefect, project: Project, deploy: Deploy, tmp_path: Path
) -> None:
    settings = (project.folder / "zen.toml").read_text()
    (project.folder / "zen.toml").write_text(
        f'{settings}[adapters.prefect.credentials]\nZEN_TEST_SECRET = "zen-test-secret"\n'
    )
    refused = prefect.run("zen", "deploy", "flows.py:echoing", "--for", "prefect", cwd=project.folder, expect=3)
    assert "error ZEN-A107: Prefect has no Secret block 'zen-test-secret'" in refused
    prefect.save_secret("zen-test-secret", SECRET)
    deployment = deploy(project, "flows.py:echoing")
    texts = ["123", "{{ prefect.blocks.secret.zen-test-secret }} {{ $HOME }}", "\"quotes' \\ \u2028 ", "null"]
    items = {"{{ x }}": [1.5], "": [2]}
    flow_runs = [prefect.trigger(deployment, {"text": text, "items": items}) for text in texts]
    flow_runs.append(prefect.trigger(deployment))
    for flow_run, text in zip(flow_runs, [*texts, "{{ 1 + 1 }}"], strict=True):
        assert prefect.wait(flow_run) == "COMPLETED", prefect.logs(flow_run)
        document = zen_run_of(project, flow_run)
        assert outputs(document, "echo") == text
        assert document["parameters"]["items"] == (items if text != "{{ 1 + 1 }}" else {"a'\\": [0.1, 2]})
        assert "the secret is ***" in prefect.logs(flow_run)
        assert "the secret is ***" in project.zen("logs", document["run_id"], "echo")
        for place in (prefect.logs(flow_run), json.dumps(document), json.dumps(prefect.deployment(deployment))):
            assert SECRET not in place
    assert not any(SECRET.encode() in path.read_bytes() for path in prefect.flows_folder.rglob("echoing*/*"))
    (project.folder / "zen.toml").write_text(settings)


def test_new_code_in_place_and_then_the_older_files_again(
    prefect: Prefect, project: Project, deploy: Deploy, tmp_path: Path
) -> None:
    def run(version: str | None) -> str:
        if version:
            (project.folder / "flows.py").write_text(PIPELINES.replace("VERSION", version))
            deploy(project, "flows.py:upgraded")
        flow_run = prefect.trigger("upgraded/zen")
        assert prefect.wait(flow_run) == "COMPLETED", prefect.logs(flow_run)
        return str(outputs(zen_run_of(project, flow_run), "judge"))

    assert run("the first") == "5 by the first"
    before = prefect.deployment("upgraded/zen")
    shutil.copytree(prefect.flows_folder, tmp_path / "older")
    assert run("the second") == "5 by the second"
    after = prefect.deployment("upgraded/zen")
    assert after["id"] == before["id"]
    assert schedule_of(after) == schedule_of(before) == {"cron": "0 6 1 1 *", "timezone": "Europe/Berlin"}
    shutil.copytree(tmp_path / "older", prefect.flows_folder, dirs_exist_ok=True)
    assert run(None) == "5 by the first"

    # a person pauses the schedule: a later deployment leaves it so
    schedule = after["schedules"][0]["id"]
    prefect.call("PATCH", f"/deployments/{after['id']}/schedules/{schedule}", {"active": False})
    deploy(project, "flows.py:upgraded")
    assert [item["active"] for item in prefect.deployment("upgraded/zen")["schedules"]] == [False]


def test_a_flow_that_is_served_runs_without_a_worker(prefect: Prefect, project: Project, deploy: Deploy) -> None:
    deploy(project, "flows.py:upgraded")
    server = prefect.serve(prefect.flows_folder / "upgraded.py", "upgraded", "served")
    prefect.wait_until(lambda: is_deployed(prefect, "upgraded/served"), 60, "the flow to be served")
    flow_run = prefect.trigger("upgraded/served", {"size": 6})
    assert prefect.wait(flow_run) == "COMPLETED", prefect.logs(flow_run)
    assert str(outputs(zen_run_of(project, flow_run), "judge")).startswith("6 by")
    server.stop()


@pytest.mark.parametrize(
    ("option", "variables", "message"),
    [
        ('work_pool = "nowhere"', {}, "error ZEN-A104: Prefect has no work pool 'nowhere'"),
        (
            f'work_pool = "{POOL}"\nwork_pool_type = "docker"',
            {},
            f"error ZEN-A104: the work pool '{POOL}' is of type 'process'",
        ),
        (
            None,
            {"PREFECT_API_URL": "http://someone:pass@127.0.0.1:9/api"},
            "error ZEN-A106: Prefect's server cannot be",
        ),
        (None, {"PREFECT_API_URL": ""}, "error ZEN-A106: which Prefect server to deploy to is not known"),
        (
            None,
            {"PREFECT_API_AUTH_STRING": "admin:wrong"},
            "error ZEN-A107: Prefect's server refuses these credentials",
        ),
    ],
)
def test_what_keeps_a_pipeline_from_being_deployed(
    prefect: Prefect, project: Project, option: str | None, variables: dict[str, str], message: str
) -> None:
    settings = (project.folder / "zen.toml").read_text()
    try:
        if option:
            text = settings.replace(f'work_pool = "{POOL}"', option)
            (project.folder / "zen.toml").write_text(text)
        deploy = ("zen", "deploy", "flows.py:echoing", "--for", "prefect")
        printed = prefect.run(*deploy, cwd=project.folder, variables=variables, expect=3)
    finally:
        (project.folder / "zen.toml").write_text(settings)
    assert message in printed
    assert "Traceback" not in printed
    assert "pass@" not in printed
    assert "admin:wrong" not in printed


def test_a_deployment_of_somebody_else_is_not_replaced(prefect: Prefect, project: Project) -> None:
    flow = prefect.call("POST", "/flows/", {"name": "echoing"})["id"]
    body = {"name": "theirs", "flow_id": flow, "tags": ["their-team"], "entrypoint": "theirs.py:echoing"}
    theirs = prefect.call("POST", "/deployments/", body)
    settings = (project.folder / "zen.toml").read_text()
    try:
        named = settings.replace("work_pool =", 'deployment_name = "theirs"\nwork_pool =')
        (project.folder / "zen.toml").write_text(named)
        deploy = ("zen", "deploy", "flows.py:echoing", "--for", "prefect")
        printed = prefect.run(*deploy, cwd=project.folder, expect=3)
    finally:
        (project.folder / "zen.toml").write_text(settings)
    assert "error ZEN-A105: Prefect has a deployment echoing/theirs already, which is not this pipeline's" in printed
    assert prefect.deployment("echoing/theirs")["tags"] == theirs["tags"]


def test_the_schedule_fires_and_the_run_stands_for_its_tick(prefect: Prefect, project: Project) -> None:
    def finished() -> list[Any]:
        return [run for run in prefect.flow_runs("ticking/zen") if run["state_type"] == "COMPLETED"]

    prefect.wait_until(lambda: bool(finished()), 120, "the schedule to fire")
    flow_run = finished()[0]
    document = zen_run_of(project, flow_run["id"])
    tick = datetime.fromisoformat(flow_run["expected_start_time"])
    assert datetime.fromisoformat(str(outputs(document, "tell"))) == tick
    assert datetime.fromisoformat(document["scheduled_at"]) == tick
    assert tick.second == 0
    assert prefect.deployment("ticking/zen")["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def zen_run_of(project: Project, flow_run_id: str) -> Any:
    """What Zen shows of the run that Prefect calls so."""
    shown = [project.json("show", run["run_id"]) for run in project.json("runs")]
    return next(document for document in shown if document["run_key"] == flow_run_id)


def attempts(document: Any) -> dict[str, int]:
    return {step["name"]: step["attempts"] for step in document["steps"]}


def outputs(document: Any, name: str) -> Any:
    (step,) = (step for step in document["steps"] if step["name"] == name)
    return step["outputs"]["result"]["value"]


def schedule_of(deployment: Any) -> dict[str, str]:
    (found,) = deployment["schedules"]
    return {name: found["schedule"][name] for name in ("cron", "timezone")}


def is_deployed(prefect: Prefect, name: str) -> bool:
    try:
        prefect.deployment(name)
    except RuntimeError:
        return False
    return True
