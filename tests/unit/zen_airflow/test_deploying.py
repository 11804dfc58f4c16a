"""Files that a deployment replaces while tasks start."""

import io
import sys
import threading
import zipfile

import pytest

from zen_airflow import AirflowAdapter
from zen_airflow.options import AirflowOptions
from zen_core.adapter.protocol import DeployRequest, EmissionRequest, EmittedFile
from zen_core.contract.code_bundle import code_digest
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.cases import find_case
from zen_metadata.shim.sidecar import open_sidecar

ADAPTER = AirflowAdapter()
DEPLOYMENTS = 60


@pytest.fixture(autouse=True)
def own_code_folder(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(sys, "path", [*sys.path])


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def request(tmp_path, version):
    """The deployment of a version of a pipeline, whose code says which version it is of."""
    spec = PipelineSpec.from_json({**find_case("diamond").spec.to_json(), "tags": [version]})
    content = {"which.py": f"VERSION = {version!r}\n".encode()}
    manifest = PipelineManifest(
        "shop", spec.name, "0.1.0", spec.digest, code_digest(content), "bundle", spec.to_json(), {}
    )
    beside = ADAPTER.sidecar_folder(spec)
    files = (
        *ADAPTER.emit(EmissionRequest(spec, "0.1.0", AirflowOptions())),
        EmittedFile(f"{beside}/manifest.json", manifest.to_text().encode()),
        EmittedFile(f"{beside}/code.zip", zipped(content)),
    )
    settings = Settings(root=tmp_path, project="shop")
    return DeployRequest(spec, files, settings, AirflowOptions(dags_folder="dags"))


def test_a_task_that_starts_while_a_deployment_goes_on_runs_one_version_whole(tmp_path):
    """Tasks read the DAG's file, then what belongs to it, while two versions are deployed in turn."""
    (tmp_path / "dags").mkdir()
    versions = [request(tmp_path, version) for version in ("first", "second")]
    assert versions[0].pipeline.digest != versions[1].pipeline.digest
    code_by_ir = {item.pipeline.digest: item.pipeline.tags[0] for item in versions}
    ADAPTER.deploy(versions[0])
    file = tmp_path / "dags" / "diamond.py"
    ended, found = threading.Event(), []

    def start_tasks():
        while not ended.is_set():
            ir = file.read_text().partition('\nIR = "')[2].partition('"')[0]
            manifest, code = open_sidecar(file.with_suffix(".zen"), ir, "")
            found.append((manifest.ir_digest == ir, code_by_ir[ir] in (code / "which.py").read_text()))

    tasks = [threading.Thread(target=start_tasks) for _ in range(2)]
    for task in tasks:
        task.start()
    for number in range(DEPLOYMENTS):
        assert ADAPTER.deploy(versions[(number + 1) % 2]).changed
    ended.set()
    for task in tasks:
        task.join()
    assert len(found) > DEPLOYMENTS / 2
    assert set(found) == {(True, True)}
