"""A run that is made again, in the environment of the tests: what is restored, and what is said of the rest."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from zen_core.cli.main import zen
from zen_core.contract.settings import load_settings
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.query import Client
from zen_metadata.shim.code import bundle_location

PIPELINES = """
import random
from pathlib import Path
from typing import Annotated
from reproduced_helpers import double
from zen_core import Artifact, Cache, File, pipeline, step

@step
def rows(data: File) -> list[int]:
    return [double(int(line)) for line in data.path.read_text().split()]

@step(cache=Cache(files=["declared.txt"], env=["SHOP_ZONE", "SHOP_RATE"]))
def fit(row: int) -> int:
    return row + len(Path("DATA/declared.txt").read_text())

@step
def total(parts: list[int], offset: int) -> Annotated[int, "sum"]:
    return sum(parts) + offset

@step
def guess(number: int) -> float:
    return random.random()

@step
def use(number: float) -> float:
    return number * 2

@step
def look_up(number: int, other: int) -> int:
    return number + other

@step
def read(data: File) -> str:
    return data.path.read_text()

@step
def copy(data: File) -> Annotated[File, "copied"]:
    import shutil
    shutil.copyfile(data, "copied.txt")
    return File("copied.txt")

@step
def tell(run: str = "") -> None:
    with open("DATA/told.txt", "a") as file:
        file.write("told")

@step
def constant(number: int) -> int:
    return number

@pipeline
def other(number: int = 1):
    constant.with_options(name="other_number")(number)

@pipeline(on_success=tell)
def main(data: File = File("rows.txt"), changed: File = File("changed.txt"), kept: File = File("kept.txt"),
         outside: File = File("DATA/outside.txt"), offset: int = 4):
    sum_ = total(fit.map(row=rows(data)), offset)
    use(guess(sum_))
    look_up(sum_, Artifact("other_number"))
    read.with_options(name="read_changed")(changed)
    copy(kept)
    read.with_options(name="read_outside")(outside)

@pipeline
def simple(number: int = 3):
    constant(double(number) if False else number)
"""


class Shop:
    """A project whose pipeline reads files and another run's artifact, and what became of it since."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.patch = patch
        self.module = "reproduced_flows"
        self.data = root.parent / "data"
        self.data.mkdir()
        (root / "zen.toml").write_text('project = "shop"\n')
        (root / f"{self.module}.py").write_text(PIPELINES.replace("DATA", str(self.data)))
        (root / "reproduced_helpers.py").write_text("def double(number):\n    return 2 * number\n")
        for name, text in {
            "rows.txt": "1\n2\n",
            "changed.txt": "before",
            "kept.txt": "kept",
            "declared.txt": "x",
        }.items():
            (root / name).write_text(text)
        (self.data / "declared.txt").write_text("x")
        (self.data / "outside.txt").write_text("outside")

    def zen(self, *arguments: str) -> Result:
        return CliRunner().invoke(zen, ["-C", str(self.root), *arguments])

    def run(self, name: str) -> str:
        result = self.zen("run", f"{self.module}:{name}", "--json")
        assert result.exit_code == 0, result.stderr
        return str(json.loads(result.stdout)["run_id"])

    def files(self) -> dict[str, str]:
        """What the main stores hold: every file with its digest."""
        state = self.root / ".zen"
        found = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".db-shm"]
        return {str(path.relative_to(state)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(("ZEN_", "MLFLOW_"))]:
        patch.delenv(name)
    patch.setenv("ZEN_MLFLOW_SYNC", "off")
    root = tmp_path_factory.mktemp("reproducing") / "project"
    root.mkdir()
    path, modules = list(sys.path), set(sys.modules)
    patch.chdir(root)
    yield Shop(root, patch)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("reproduced_"):
            del sys.modules[name]
    patch.undo()


@pytest.fixture(scope="module")
def run_id(shop: Shop) -> str:
    """A run, after which nearly all that it was made from has changed."""
    shop.run("other")
    shop.patch.setenv("SHOP_ZONE", "north")
    shop.patch.setenv("SHOP_RATE", "2")
    run = shop.run("main")
    shop.patch.setenv("SHOP_RATE", "3")
    result = shop.zen("run", f"{shop.module}:other", "--param", "number=50")
    assert result.exit_code == 0, result.stderr
    (shop.root / "reproduced_helpers.py").write_text("def double(number):\n    return 3 * number\n")
    (shop.root / "changed.txt").write_text("after")
    (shop.root / "kept.txt").unlink()
    (shop.root / "told.txt").unlink(missing_ok=True)
    (shop.data / "told.txt").unlink()
    return run


@pytest.fixture(scope="module")
def result(shop: Shop, run_id: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("reproduction") / "into"
    before = shop.files()
    found = shop.zen("reproduce", run_id[:8], "--no-environment", "--into", str(folder), "--json")
    assert shop.files() == before, "the main stores are only read"
    return found, json.loads(found.stdout), folder


def by_step(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    label = "{step}[{map_index}]"
    return {item["step"] if item["map_index"] is None else label.format(**item): item for item in document["artifacts"]}


def test_the_old_code_runs_on_the_old_inputs_and_gives_the_old_results(result: Any) -> None:
    found, document, _ = result
    assert found.exit_code == 1, "something differs"
    assert document["equal"] is False
    rows = by_step(document)
    equal = {label for label, row in rows.items() if row["equal"]}
    assert equal == {"rows", "fit[0]", "fit[1]", "total", "look_up", "copy", "read_outside"}
    assert rows["total"]["before"] == rows["total"]["after"]
    assert rows["total"]["output"] == "sum"


def test_a_nondeterministic_step_is_named_and_what_comes_of_it_is_told_apart(result: Any) -> None:
    _, document, _ = result
    rows = by_step(document)
    assert document["nondeterministic"] == ["guess"]
    assert rows["guess"]["why"].startswith("nondeterministic: ")
    assert rows["use"]["why"] == "input number differs"


def test_every_input_says_where_it_came_from_or_why_it_is_lost(result: Any, shop: Shop) -> None:
    _, document, folder = result
    origin = {item["name"]: item["from"] or item["lost"] for item in document["inputs"]}
    assert origin == {
        "environment variable SHOP_RATE": "it has another value here",
        "environment variable SHOP_ZONE": "the environment",
        "rows.txt": "data root",
        "kept.txt": "artifact store",
        "declared.txt": "data root",
        "changed.txt": origin["changed.txt"],
        str(shop.data / "outside.txt"): "where it lies",
        "other_number (version 1)": "artifact store",
    }
    assert origin["changed.txt"].startswith("its content is another one now, sha256:")
    assert not (folder / "data" / "changed.txt").exists(), "other content is not taken for it"
    assert "MissingInputError" in by_step(document)["read_changed"]["why"]


def test_the_reproduction_is_a_project_with_stores_of_its_own(result: Any) -> None:
    found, document, folder = result
    assert document["folder"] == str(folder)
    with Client(root=folder / "code") as client:
        made = client.run(document["reproduced_as"])
        assert made.record.project == "shop"
        assert not any(step.status == "cached" for step in made.steps)
    assert "guess: completed" in found.stderr, "what goes on is told beside the document"


def test_hooks_do_not_run(result: Any, shop: Shop) -> None:
    assert not (shop.data / "told.txt").exists()


def test_the_document_has_the_promised_shape(result: Any, run_id: str) -> None:
    _, document, _ = result
    assert document["run_id"] == run_id
    assert document.keys() >= {"equal", "code", "environment", "parameters", "inputs", "artifacts", "nondeterministic"}
    assert document["code"]["files"] == 3
    assert document["code"]["left_out"] == []
    assert document["environment"] == {
        "digest": document["environment"]["digest"],
        "installer": "",
        "restored": 0,
        "not_restored": [],
        "others": 0,
    }
    assert document["parameters"]["offset"] == 4


def test_a_run_that_comes_out_equal_ends_well_and_leaves_nothing_behind(shop: Shop, tmp_path: Path) -> None:
    run = shop.run("simple")
    tmp_path.joinpath("tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
        found = shop.zen("reproduce", run, "--no-environment")
    assert found.exit_code == 0, found.output
    first, *rest = found.stdout.splitlines()
    assert first.startswith(f"run {run[:8]} of simple (local, ")
    assert rest[-1] == "all 1 are equal"
    assert rest[-3].split() == ["STEP", "OUTPUT", "EQUAL", "BEFORE", "AFTER"]
    assert rest[-2].split()[:3] == ["constant", "result", "yes"]
    assert list((tmp_path / "tmp").glob("zen-reproduce-*")) == []


def test_a_run_without_its_code_is_refused(shop: Shop, run_id: str) -> None:
    with Client(root=shop.root) as client:
        bundle = shop.root / ".zen" / "artifacts" / bundle_location(client.run(run_id).record.code_digest)
    content = bundle.read_bytes()
    bundle.unlink()
    try:
        found = shop.zen("reproduce", run_id, "--no-environment")
        assert found.exit_code == 1
        assert f"ZEN-S102: the code of run {run_id[:8]} was not kept" in found.stderr
        assert "zen push DIR uploads it" in found.stderr
        bundle.write_bytes(content.replace(b"2 * number", b"4 * number"))
        found = shop.zen("reproduce", run_id, "--no-environment")
        assert found.exit_code == 1
        assert "the code bundle" in found.stderr
    finally:
        bundle.unlink()
        bundle.write_bytes(content)


def test_a_folder_that_is_not_empty_is_refused(shop: Shop, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    found = shop.zen("reproduce", run_id, "--into", str(tmp_path))
    assert found.exit_code == 2
    assert "is not an empty folder" in found.stderr


def test_a_run_that_goes_on_is_refused(shop: Shop, run_id: str) -> None:
    settings = load_settings(shop.root).with_local_defaults()
    store = open_lineage_store(settings.lineage_url)
    with Client(settings) as client:
        run = client.run(run_id)
    going_on = replace(run.record, run_id="00000000-0000-0000-0000-000000000000", closed_status=None, ended_at=None)
    store.open_run(going_on, run.ir)
    store.close()
    found = shop.zen("reproduce", going_on.run_id, "--no-environment")
    assert found.exit_code == 2
    assert "is still running" in found.stderr
