"""`zen deploy --for kfp` against a stand-in for KFP's API, by KFP's own client; what was uploaded then runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.airflow.zen import Project, statuses
from integration_tests.equivalence.test_one_truth import fresh_stores
from integration_tests.services.docker import IMAGE
from integration_tests.services.kfp import Kfp
from integration_tests.services.kfp_api import KfpApi

PIPELINE = """
import os

from zen_core import Schedule, Secret, pipeline, step


@step
def measure(text: str, size: int) -> list[int]:
    return [len(text)] * size


@step
def check(value: int, password: str) -> int:
    print("the password is", password)
    return value


@step
def report(values: list[int], text: str) -> str:
    return f"{sum(values)} {text}"


@step
def tell() -> str:
    return "it is done"


@pipeline(schedule=Schedule(cron="0 6 * * mon-fri"), on_success=tell)
def churn_report(text: str = "{{ it's }} größe", size: int = 2):
    values = measure(text, size)
    report(check.map(value=values, password=Secret("TEAM_PASSWORD")), text)
"""
PASSWORD = "s3cret-of-the-team"
TYPED = '{{ ds }} {% raw %} \'); "quoted" \\ größe \n {{workflow.name}}'


@pytest.fixture
def api() -> Iterator[KfpApi]:
    with KfpApi() as api:
        yield api


@pytest.fixture
def project(tmp_path: Path, api: KfpApi) -> Project:
    """A project that deploys to the API, on stores in its own folder."""
    variables = fresh_stores(tmp_path)
    del variables["MLFLOW_TRACKING_URI"]
    given = "\n".join(f"{name} = {json.dumps(value)}" for name, value in variables.items())
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "zen.toml").write_text(
        f'project = "churn"\n\n[adapters.kfp]\nimage = "{IMAGE}"\nhost = "{api.url}"\n\n[adapters.kfp.env]\n{given}\n'
    )
    (folder / "work.py").write_text(PIPELINE)
    return Project(folder, variables)


def deploy(kfp: Kfp, project: Project, *options: str, expect: int = 0) -> str:
    return kfp.command(
        *("zen", "deploy", "work.py:churn_report", "--for", "kfp", *options),
        cwd=project.folder,
        variables=project.variables,
        expect=expect,
    )


def test_what_is_uploaded_runs_and_deploying_again_changes_nothing(
    kfp: Kfp, project: Project, api: KfpApi, tmp_path: Path
) -> None:
    deploy(kfp, project, "--dry-run")
    assert api.changes == []

    printed = deploy(kfp, project)
    (pipeline,) = api.records["pipelines"]
    assert pipeline["display_name"] == "churn-report"
    ((version, package),) = api.packages.items()
    assert yaml.safe_load(package.decode())["pipelineInfo"]["name"] == "churn-report"
    (recurring,) = api.records["recurringruns"]
    assert recurring["trigger"]["cron_schedule"]["cron"] == "0 0 6 * * mon-fri"
    assert (recurring["mode"], recurring["max_concurrency"]) == ("ENABLE", 1)
    assert recurring["pipeline_version_reference"]["pipeline_version_id"] == version
    assert version in printed

    before = list(api.changes)
    assert "unchanged" in deploy(kfp, project)
    assert api.changes == before

    run_uploaded(kfp, project, package, tmp_path)

    # Other code is another version, although the emitted text is the same; a schedule that was disabled stays so.
    recurring["status"], recurring["mode"] = "DISABLED", "DISABLE"
    (project.folder / "work.py").write_text(PIPELINE.replace("it is done", "it is all done"))
    deploy(kfp, project)
    assert len(api.packages) == 2
    (replaced,) = api.records["recurringruns"]
    assert replaced["mode"] == "DISABLE"
    assert replaced["pipeline_version_reference"]["pipeline_version_id"] != version


def run_uploaded(kfp: Kfp, project: Project, package: bytes, folder: Path) -> None:
    """With arguments as a person enters them in KFP's form.

    kfp.local has no Kubernetes secrets: the password is put among the other variables here.
    """
    file = folder / "churn_report.yaml"
    file.write_bytes(
        package.replace(b"env:\n", f"env:\n        - name: TEAM_PASSWORD\n          value: {PASSWORD}\n".encode())
    )
    arguments = {"text": json.dumps(TYPED), "size": "3"}
    folders = [project.folder.parent]
    outcome = kfp.run([(file, "churn_report", arguments)], variables=project.variables, folders=folders)
    assert outcome == ["completed"]
    assert PASSWORD not in kfp.output
    document = project.json("show", "latest")
    assert document["orchestrator"] == "kfp"
    assert document["parameters"] == {"text": TYPED, "size": 3}
    (report,) = (step for step in document["steps"] if step["name"] == "report")
    assert report["outputs"]["result"]["value"] == f"{3 * len(TYPED)} {TYPED}"
    assert statuses(document)["tell"] == "completed"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, "ZEN-A107", "refuses these credentials"),
        (500, "ZEN-A106", "HTTP 500"),
        (None, "ZEN-A106", "cannot be reached"),
    ],
)
def test_an_api_that_cannot_be_used_is_an_error_and_nothing_changes(
    kfp_sdk: Kfp, project: Project, api: KfpApi, status: int | None, code: str, message: str
) -> None:
    if status is None:
        settings = project.folder / "zen.toml"
        settings.write_text(settings.read_text().replace(api.url, "http://127.0.0.1:9"))
    api.refuse_with = status
    printed = deploy(kfp_sdk, project, expect=3)
    assert code in printed
    assert message in printed
    assert api.changes == []
    assert not (project.folder.parent / "artifacts").exists()


def test_everything_that_containers_would_miss_is_said_at_once(kfp_sdk: Kfp, project: Project, api: KfpApi) -> None:
    (project.folder / "zen.toml").write_text(f'project = "churn"\n\n[adapters.kfp]\nhost = "{api.url}"\n')
    printed = deploy(kfp_sdk, project, expect=3)
    assert "which image the containers run is not known" in printed
    assert "ZEN_ARTIFACT_URL" in printed
    assert api.changes == []


def test_a_pipeline_of_somebody_else_is_not_touched(kfp_sdk: Kfp, project: Project, api: KfpApi) -> None:
    theirs: dict[str, Any] = {"pipeline_id": "p", "display_name": "churn-report", "description": "made by hand"}
    api.records["pipelines"].append(theirs)
    printed = deploy(kfp_sdk, project, expect=3)
    assert "ZEN-A105" in printed
    assert "made by hand" in printed
    assert api.changes == []


def test_doctor_asks_the_api(kfp_sdk: Kfp, project: Project, api: KfpApi) -> None:
    printed = kfp_sdk.command("zen", "doctor", "--for", "kfp", cwd=project.folder, variables=project.variables)
    assert api.url in printed
    assert "GET healthz" in api.calls
