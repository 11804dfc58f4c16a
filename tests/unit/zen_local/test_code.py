"""The code of a run is kept beside its artifacts, and no run fails for it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from typing import Any

import pytest

from zen_core.authoring.loading import load_pipeline
from zen_core.codegen.bundle import find_local_code
from zen_local.code import keep_code
from zen_metadata.query import Client
from zen_metadata.shim.code import bundle_location
from zen_metadata.shim.workspace import open_workspace

SOURCE = """
from shop.prices import total

@step
def count(number: int) -> int:
    return total(number)

@pipeline
def counting(number: int = 2) -> None:
    count(number)
"""


@pytest.fixture
def shop(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bench whose pipeline imports a package with a large file in it."""
    package = bench.folder / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "prices.py").write_text("def total(number):\n    return number + 1\n")
    with (package / "catalogue.bin").open("wb") as file:
        file.truncate(2 * 2**30)
    monkeypatch.setenv("ZEN_MLFLOW_SYNC", "off")
    bench.write(SOURCE)
    yield bench
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def run(bench: Any) -> Any:
    return load_pipeline(f"{bench.module}:counting", bench.settings).run()


def test_the_bundle_is_stored_once_and_what_it_lacks_is_told_and_recorded(
    shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = run(shop)
    [bundle] = (shop.folder / ".zen" / "artifacts" / "code").iterdir()
    digest = first.record.code_digest
    assert bundle_location(digest) == f"code/{bundle.name}"
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as archive:
        assert archive.namelist() == ["shop/__init__.py", "shop/prices.py", f"{shop.module}.py", "zen.settings.json"]
    told = "left out of the code that is kept of this run: shop/catalogue.bin: 2,048 MiB of data, more than 10 MiB"
    assert told in caplog.text
    caplog.clear()
    assert run(shop).record.code_digest == digest
    assert caplog.text == "", "it is told once"
    with Client(shop.settings) as client:
        assert client._stores.lineage.find_left_out("bench", digest) == [
            {"file": "shop/catalogue.bin", "reason": "2,048 MiB of data, more than 10 MiB"}
        ]
        assert client._stores.lineage.find_left_out("bench", "sha256:unknown") == ()


def test_an_edit_of_a_helper_makes_another_bundle(shop: Any) -> None:
    before = run(shop).record.code_digest
    (shop.folder / "shop" / "prices.py").write_text("def total(number):\n    return number + 2\n")
    assert run(shop).record.code_digest != before
    assert len(list((shop.folder / ".zen" / "artifacts" / "code").iterdir())) == 2


def test_a_store_that_refuses_the_bundle_fails_no_run(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    (shop.folder / ".zen" / "artifacts").mkdir(parents=True)
    (shop.folder / ".zen" / "artifacts" / "code").write_text("a file, where a folder should be")
    assert run(shop).status == "completed"
    assert "the code of this run is not kept, so that it cannot be run again" in caplog.text


def test_code_that_changes_while_the_run_begins_is_not_kept_as_what_ran(
    shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    code = find_local_code(shop.settings, [shop.module])
    (shop.folder / "shop" / "prices.py").write_text("def total(number):\n    return 0\n")
    settings = shop.settings.with_local_defaults()
    settings.state_folder.mkdir()
    workspace = open_workspace(settings, remote=False)
    try:
        keep_code(code, workspace, "bench")
        assert not workspace.artifacts.exists(bundle_location(code.digest))
    finally:
        workspace.close()
    assert "cannot be run again: a file of it changed while the run began" in caplog.text


def test_steps_of_a_session_have_no_bundle(shop: Any, ended: list[Any]) -> None:
    script = "from zen_core import pipeline, step\n" + SOURCE.replace("from shop.prices import total", "total = abs")
    script += "\nprint(counting.run().record.code_digest)\n"
    environment = {**os.environ, "ZEN_MLFLOW_SYNC": "off"}
    done = subprocess.run(
        [sys.executable, "-"],
        input=script,
        cwd=shop.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.rpartition("\n")[0].rpartition("\n")[2].startswith("sha256:")
    assert not (shop.folder / ".zen" / "artifacts" / "code").exists()
