"""The code bundle in a task: checked before it is unpacked, and nothing else imported in its place."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zen_core.contract.code_bundle import code_digest
from zen_core.contract.manifest import CODE_FILE, CacheManifest, CodeFingerprint, PipelineManifest, StepManifest
from zen_core.errors import CodeError
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.shim.code import bundle_location, ensure_code, load_step

SOURCE = b"def work(number):\n    return number + 1\n"


def manifest_of(folder: Path | None, content: dict[str, bytes]) -> PipelineManifest:
    return PipelineManifest(
        project="p",
        pipeline="p",
        zen_version="0",
        ir_digest="sha256:0",
        code_digest=code_digest(content),
        code="bundle",
        ir={},
        fingerprints={},
        folder=folder,
    )


def write_bundle(path: Path, content: dict[str, bytes], *, mode: int = 0o100644) -> None:
    with zipfile.ZipFile(path, "w") as bundle:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            bundle.writestr(entry, data)


def step_of(entry_point: str) -> StepManifest:
    fingerprint = CodeFingerprint("sha256:other", "function")
    return StepManifest("work", entry_point, (), (), CacheManifest(), fingerprint)


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A temporary folder of the test's own, and no trace in this process's imports."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith("bundled_")]:
        del sys.modules[name]


def test_a_bundle_is_unpacked_once_for_this_user_alone_and_comes_first(tmp_path: Path) -> None:
    content = {"bundled_a.py": SOURCE, "package/data.csv": b"1"}
    write_bundle(tmp_path / CODE_FILE, content)
    manifest = manifest_of(tmp_path, content)
    root = ensure_code(manifest, "")
    assert root is not None
    assert sys.path[0] == str(root)
    assert root.parent.stat().st_mode & 0o777 == 0o700
    assert (root / "package" / "data.csv").read_bytes() == b"1"
    (tmp_path / CODE_FILE).unlink()
    assert ensure_code(manifest, "") == root, "what is unpacked is not fetched again"
    assert load_step(step_of("bundled_a:work"), root, installed=False)(1) == 2


def test_a_bundle_comes_from_the_artifact_store_where_it_is_not_beside_the_manifest(tmp_path: Path) -> None:
    content = {"bundled_b.py": SOURCE}
    manifest = manifest_of(tmp_path, content)
    store = ArtifactStore(str(tmp_path / "store"))
    with pytest.raises(CodeError, match="zen push"):
        ensure_code(manifest, store.url)
    write_bundle(tmp_path / "pushed.zip", content)
    store.write_bytes(bundle_location(manifest.code_digest), (tmp_path / "pushed.zip").read_bytes())
    root = ensure_code(manifest, store.url)
    assert root is not None
    assert (root / "bundled_b.py").read_bytes() == SOURCE


def test_a_bundle_that_lies_beside_the_manifest_is_kept_in_the_artifact_store(tmp_path: Path) -> None:
    content = {"bundled_kept.py": SOURCE}
    write_bundle(tmp_path / CODE_FILE, content)
    manifest, store = manifest_of(tmp_path, content), ArtifactStore(str(tmp_path / "store"))
    location = bundle_location(manifest.code_digest)
    ensure_code(manifest, store.url)
    assert store.read_bytes(location) == (tmp_path / CODE_FILE).read_bytes()
    store.remove(location)
    write_bundle(tmp_path / CODE_FILE, {"bundled_kept.py": b"# half of the next deployment\n"})
    ensure_code(manifest, store.url)
    assert not store.exists(location), "what is not the manifest's is not kept as if it were"
    write_bundle(tmp_path / CODE_FILE, content)
    ensure_code(manifest, store.url)
    assert store.exists(location), "another store gets it too, though it was unpacked before"


def test_a_bundle_that_cannot_be_kept_fails_no_task(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = {"bundled_unkept.py": SOURCE}
    write_bundle(tmp_path / CODE_FILE, content)
    (tmp_path / "store").write_text("a file, where the store's folder should be")
    assert ensure_code(manifest_of(tmp_path, content), str(tmp_path / "store")) is not None
    assert "the code of this run is not kept" in caplog.text


def test_an_altered_bundle_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_bundle(tmp_path / CODE_FILE, {"bundled_c.py": SOURCE + b"import os\n"})
    with pytest.raises(CodeError, match="not the one that was compiled"):
        ensure_code(manifest_of(tmp_path, {"bundled_c.py": SOURCE}), "")
    assert not list(tmp_path.rglob("bundled_c.py"))


@pytest.mark.parametrize(
    "name", ["../outside.py", "/etc/outside.py", "a/../../outside.py", "..\\outside.py", "C:/x.py"]
)
def test_an_entry_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / CODE_FILE, {name: SOURCE})
    with pytest.raises(CodeError, match="would leave its folder"):
        ensure_code(manifest_of(tmp_path, {name: SOURCE}), "")


def test_a_link_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / CODE_FILE, {"link.py": b"/etc/passwd"}, mode=0o120777)
    with pytest.raises(CodeError, match="would leave its folder"):
        ensure_code(manifest_of(tmp_path, {"link.py": b"/etc/passwd"}), "")


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / CODE_FILE).write_bytes(b"no zip")
    with pytest.raises(CodeError, match="cannot be read"):
        ensure_code(manifest_of(tmp_path, {}), "")


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    content = {"bundled_d.py": SOURCE}
    write_bundle(tmp_path / CODE_FILE, content)
    ensure_code(manifest_of(tmp_path, content), "")
    folder = next((tmp_path / "tmp").glob("zen-code-*"))
    folder.chmod(0o777)
    with pytest.raises(CodeError, match="others can write to it"):
        ensure_code(manifest_of(tmp_path, content), "")


def test_a_module_of_the_same_name_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "bundled_e.py").write_bytes(SOURCE)
    sys.path.insert(0, str(tmp_path / "elsewhere"))
    __import__("bundled_e")
    content = {"bundled_e.py": SOURCE}
    write_bundle(tmp_path / CODE_FILE, content)
    root = ensure_code(manifest_of(tmp_path, content), "")
    with pytest.raises(CodeError, match=r"was imported from .*elsewhere.*not from the pipeline's code"):
        load_step(step_of("bundled_e:work"), root, installed=False)


def test_what_is_missing_in_the_code_is_named(tmp_path: Path) -> None:
    content = {"bundled_f.py": SOURCE, "bundled_g.py": b"import surely_not_installed\n"}
    write_bundle(tmp_path / CODE_FILE, content)
    root = ensure_code(manifest_of(tmp_path, content), "")
    with pytest.raises(CodeError, match=r"include.*compile again"):
        load_step(step_of("bundled_nowhere:work"), root, installed=False)
    with pytest.raises(CodeError, match="has no 'play'"):
        load_step(step_of("bundled_f:play"), root, installed=False)
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        load_step(step_of("bundled_g:work"), root, installed=False)


def test_installed_code_must_be_the_code_that_was_compiled(tmp_path: Path) -> None:
    from zen_core.codegen.import_roots import ImportRoots
    from zen_core.compiler.fingerprint import fingerprint_step

    (tmp_path / "bundled_h.py").write_bytes(SOURCE)
    sys.path.insert(0, str(tmp_path))
    assert ensure_code(replace(manifest_of(None, {}), code="installed"), "") is None
    with pytest.raises(CodeError, match="not the code that was compiled"):
        load_step(step_of("bundled_h:work"), None, installed=True)
    fingerprint = fingerprint_step(sys.modules["bundled_h"].work, roots=ImportRoots(()))
    assert load_step(replace(step_of("bundled_h:work"), fingerprint=fingerprint), None, installed=True)(2) == 3
