import hashlib
import sys
import threading
import time
import zipfile

import pytest

from zen_core.contract.code_bundle import code_digest
from zen_core.contract.manifest import BEFORE_FOLDER, CODE_FILE, MANIFEST_FILE, PipelineManifest
from zen_core.errors import CodeError, ManifestError
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.cli.push_command import push_bundles
from zen_metadata.shim.sidecar import fetch_sidecar, manifest_location, open_sidecar

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.fixture(autouse=True)
def own_code_folder(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def beside(tmp_path):
    folder = tmp_path / "churn.zen"
    folder.mkdir()
    return folder


def content(text):
    return {"shop_steps.py": text.encode()}


def manifest(ir, text):
    document = {"parameters": [], "steps": []}
    return PipelineManifest("shop", "churn", "0.1.0", ir, code_digest(content(text)), "bundle", document, {})


def write(folder, ir, text, *, bundle=None):
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST_FILE).write_text(manifest(ir, text).to_text())
    write_bundle(folder, bundle or text)


def write_bundle(folder, text):
    with zipfile.ZipFile(folder / CODE_FILE, "w") as archive:
        for name, data in content(text).items():
            archive.writestr(name, data)


def code_of(opened):
    return (opened[1] / "shop_steps.py").read_text()


def test_the_manifest_of_the_emitted_files_ir_with_its_code(beside):
    write(beside, NEW, "new = 1")
    assert code_of(open_sidecar(beside, NEW, "", patience_seconds=0)) == "new = 1"


def test_a_task_whose_file_was_replaced_meanwhile_goes_on_with_what_was_before(beside):
    write(beside / BEFORE_FOLDER, OLD, "old = 1")
    write(beside, NEW, "new = 1")
    found, code = open_sidecar(beside, OLD, "", patience_seconds=0)
    assert found.ir_digest == OLD
    assert code_of((found, code)) == "old = 1"


def test_files_of_two_versions_never_run_together(beside):
    write(beside, NEW, "new = 1")
    with pytest.raises(ManifestError) as caught:
        open_sidecar(beside, OLD, "", patience_seconds=0)
    (problem,) = caught.value.diagnostics
    assert problem.message == "the manifest is of another version of the pipeline than the emitted file"
    assert problem.why == "the emitted file is of the IR sha256:000000000000…, the manifest of sha256:111111111111…"
    write(beside, NEW, "new = 1", bundle="other = 1")
    with pytest.raises(CodeError, match="the code bundle is not the one that was compiled"):
        open_sidecar(beside, NEW, "", patience_seconds=0)


@pytest.mark.parametrize("torn", ["manifest", "bundle", "nothing there"])
def test_a_copy_that_is_going_on_is_waited_for(beside, torn):
    if torn == "manifest":
        (beside / MANIFEST_FILE).write_text("{")
    if torn == "bundle":
        write(beside, NEW, "after = 1", bundle="before = 1")

    def finish():
        time.sleep(0.3)
        write(beside, NEW, "after = 1")

    copy = threading.Thread(target=finish)
    copy.start()
    try:
        assert code_of(open_sidecar(beside, NEW, "", patience_seconds=10)) == "after = 1"
    finally:
        copy.join()


# -- from the artifact store ------------------------------------------------------------------------------------


@pytest.fixture
def pushed(tmp_path, beside):
    """The artifact store's address, and the digest of the manifest that was pushed there."""
    write(beside, NEW, "new = 1")
    address = str(tmp_path / "artifacts")
    push_bundles(tmp_path, ArtifactStore(address))
    return address, hashlib.sha256((beside / MANIFEST_FILE).read_bytes()).hexdigest()


def test_what_was_pushed_is_found_by_the_digest_of_its_manifest(pushed, beside):
    address, digest = pushed
    write(beside, OLD, "old = 1")  # what is deployed later changes nothing of it
    push_bundles(beside.parent, ArtifactStore(address))
    opened = fetch_sidecar(address, NEW, digest)
    assert opened[0].ir_digest == NEW
    assert code_of(opened) == "new = 1"


def test_a_manifest_that_was_never_pushed_is_named(pushed):
    with pytest.raises(ManifestError, match="is not in the artifact store") as caught:
        fetch_sidecar(pushed[0], NEW, "0" * 64)
    assert caught.value.diagnostics[0].where == manifest_location("0" * 64)
    assert "zen push" in caught.value.diagnostics[0].hint


def test_a_manifest_of_another_ir_is_refused(pushed):
    with pytest.raises(ManifestError, match="another version of the pipeline"):
        fetch_sidecar(pushed[0], OLD, pushed[1])


def test_a_manifest_that_was_altered_is_refused(pushed):
    address, digest = pushed
    ArtifactStore(address).remove(manifest_location(digest))
    ArtifactStore(address).write_bytes(manifest_location(digest), b"{}")
    with pytest.raises(ManifestError, match="altered"):
        fetch_sidecar(address, NEW, digest)
