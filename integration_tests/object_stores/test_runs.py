"""Whole runs with their artifacts in an S3 bucket, told by the usual variables alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from integration_tests.airflow.zen import Project
from integration_tests.services.s3 import S3Server

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = """
from pathlib import Path
from typing import Annotated
from zen_core import File, current, pipeline, step


@step
def load(count: int) -> Annotated[list[int], "rows"]:
    return list(range(count))


@step
def write(rows: list[int]) -> Annotated[File, "table"]:
    folder = Path(current().scratch) / "table"
    folder.mkdir()
    for row in rows[:3]:
        (folder / f"{row}.txt").write_text(str(row))
    return File(folder)


@step
def total(table: File, rows: list[int]) -> Annotated[int, "total"]:
    return sum(int(path.read_text()) for path in Path(table).iterdir()) + len(rows)


@pipeline
def shop(count: int = 500):
    rows = load(count)
    total(write(rows), rows)
"""
AWAY = "postgresql://zen@127.0.0.1:1/zen"
RUN_AND_LOAD = """
import sys
from zen_core.cli.main import main
from zen_core import Client

try:
    main()
except SystemExit as end:
    assert not end.code
print(len(Client().artifact("measurements").load()))
"""


def make_project(folder: Path, name: str, bucket: str, variables: Mapping[str, str]) -> Project:
    """A copy of a project on a machine of its own: the lineage store is shared, the artifacts are in a bucket."""
    project = folder / name
    project.mkdir()
    (project / "zen.toml").write_text('project = "shop"\n')
    (project / "shop.py").write_text(PIPELINE)
    own = {"ZEN_LINEAGE_URL": f"sqlite:///{folder / 'zen.db'}", "ZEN_ARTIFACT_URL": f"s3://{bucket}/team/zen"}
    return Project(project, {**variables, **own, "ZEN_MLFLOW_SYNC": "off"})


def statuses(run: dict[str, Any]) -> set[str]:
    return {step["status"] for step in run["steps"]}


def test_the_example_runs_and_another_machine_reuses_all_of_it(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.create_bucket()
    first, second = (make_project(tmp_path, name, bucket, s3.variables()) for name in ("first", "second"))
    for machine in (first, second):
        shutil.copytree(ROOT / "examples" / "breast_cancer", machine.folder, dirs_exist_ok=True)
    run = first.json("run", "pipelines/training.py:breast_cancer")
    assert statuses(run) == {"completed"}
    addresses = [output["uri"] for step in run["steps"] for output in step["outputs"].values()]
    assert all(address.startswith(f"s3://{bucket}/team/zen/objects/") for address in addresses)
    stored = s3.keys(bucket, "team/zen/objects/")
    command = [sys.executable, "-c", RUN_AND_LOAD, "run", "pipelines/training.py:breast_cancer", "--json"]
    environment = {**os.environ, **second.variables}
    done = subprocess.run(command, cwd=second.folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    document, _, rows = done.stdout.strip().rpartition("\n")
    assert statuses(json.loads(document)) == {"cached"}
    assert int(rows) > 100
    assert s3.keys(bucket, "team/zen/objects/") == stored
    assert not (first.folder / ".zen" / "artifacts").exists()


def test_what_is_stored_is_pushed_made_again_spooled_and_forgotten_like_any(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.create_bucket()
    machine = make_project(tmp_path, "machine", bucket, s3.variables())
    run, _, pushed, again, reproduced = machine.zen_each(
        [
            ["run", "shop.py:shop", "--json"],
            ["compile", "shop.py:shop", "--for", "prefect", "--out", "emitted"],
            ["push", "emitted", "--json"],
            ["push", "emitted", "--json"],
            ["reproduce", "latest", "--no-environment"],
        ]
    )
    assert statuses(json.loads(run)) == {"completed"}
    (bundle,) = json.loads(pushed)
    assert f"team/zen/{bundle['location']}" in s3.keys(bucket)
    assert json.loads(again)[0]["uploaded"] is False
    assert "all 3 are equal" in reproduced

    # The lineage store is away: what there is to record waits in the bucket.
    without = Project(machine.folder, {**machine.variables, "ZEN_LINEAGE_URL": AWAY})
    assert statuses(without.json("run", "shop.py:shop", "--param", "count=7")) == {"completed"}
    assert len(s3.keys(bucket, "team/zen/spool/")) >= 3
    before = s3.keys(bucket)
    synced, later, listed, _ = machine.zen_each(
        [
            ["sync", "--json"],
            ["run", "shop.py:shop", "--param", "count=7", "--json"],
            ["artifacts", "--json"],
            ["forget", "table", "--reason", "asked to", "--yes"],
        ]
    )
    assert json.loads(synced)["recorded"] >= 3
    assert s3.keys(bucket, "team/zen/spool/") == {}
    assert statuses(json.loads(later)) == {"cached"}

    tables = [artifact for artifact in json.loads(listed) if artifact["name"] == "table"]
    key = max(tables, key=lambda table: table["version"])["uri"].partition(f"{bucket}/")[2]
    assert key in before
    assert key not in s3.keys(bucket)


@pytest.fixture
def clockwork() -> Iterator[ThreadedMotoServer]:
    """A server in this process, since no client can make an object older."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


def test_gc_deletes_from_the_bucket_what_has_been_there_for_long(clockwork: ThreadedMotoServer, tmp_path: Path) -> None:
    import boto3

    host, port = clockwork.get_host_and_port()
    variables = dict(S3Server().variables(port))
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="aged")
    machine = make_project(tmp_path, "machine", "aged", variables)
    collect = ["gc", "--older-than", "0s", "--delete", "--json"]
    rerun = ["run", "shop.py:shop", "--param", "count=8", "--json"]
    old, new, _ = machine.zen_each([["run", "shop.py:shop", "--json"], rerun, collect])

    def objects() -> set[str]:
        return {found["Key"] for found in client.list_objects_v2(Bucket="aged", Prefix="team/zen/objects/")["Contents"]}

    def made_by(run: str) -> set[str]:
        uris = [output["uri"] for step in json.loads(run)["steps"] for output in step["outputs"].values()]
        return {uri.removeprefix("s3://aged/") for uri in uris}

    assert objects() == made_by(old) | made_by(new)  # an object store knows no time of use: all stays for 14 days
    for key in s3_backends["123456789012"]["aws"].buckets["aged"].keys.values():
        key.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=15)
    _, again = machine.zen_each([collect, rerun])
    assert objects() == made_by(new)
    assert statuses(json.loads(again)) == {"cached"}
