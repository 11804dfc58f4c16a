"""Edits of a project that Airflow and Prefect run: what the embedded engine made is taken, but where the edit reaches.

All edits, and what must run again after each, are in tests/property/test_mutations.py; these are a telling few.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from integration_tests.airflow.zen import Project, statuses
from integration_tests.equivalence.engines import AirflowEngine, Engine, PipelineRun, PrefectEngine

PROJECT = Path(__file__).resolve().parents[2] / "tests" / "property" / "mutated_project"
RUN = PipelineRun("flow.py:everything")
ENGINES: dict[str, Callable[[pytest.FixtureRequest], Engine]] = {
    "airflow": lambda request: AirflowEngine(request.getfixturevalue("airflow3_offline")),
    "prefect": lambda request: PrefectEngine(request.getfixturevalue("prefect")),
}
PACKAGES = {
    "tariffs": "def tax(item):\n    return item / 4\n\ndef rounded(function):\n    return function\n",
    "customs": "def duty(item):\n    return item + 10\n",
}
A_COMMENT = {"shop/text/words.py": ("# what a person sees", "# what anybody sees")}
A_HELPER = {"shop/text/words.py": ("text.strip()", 'text.strip(" ")')}
A_CONSTANT = {"shop/settings.py": ("RATE = 3", "RATE = 4")}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param](request)


def checkout(folder: Path, edits: Mapping[str, tuple[str, str]], *, customs: str = "1.0") -> Project:
    """The project, edited, beside packages of these versions; on stores that are the same for all of them."""
    own = folder / f"checkout-{len(list(folder.iterdir()))}"
    shutil.copytree(PROJECT, own / "project")
    for file, (old, new) in edits.items():
        path = own / "project" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    for name, text in PACKAGES.items():
        version = customs if name == "customs" else "1.0"
        information = own / "site-packages" / f"{name}-{version}.dist-info"
        information.mkdir(parents=True)
        (own / "site-packages" / f"{name}.py").write_text(text)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (information / "RECORD").write_text(f"{name}.py,,\n")
    return Project(
        own / "project",
        {
            "ZEN_LINEAGE_URL": f"sqlite:///{folder / 'zen.db'}",
            "ZEN_ARTIFACT_URL": str(folder / "artifacts"),
            "ZEN_DATA_ROOT": str(PROJECT),
            "ZEN_SHARED_FILESYSTEM": "true",
            "ZEN_DEPLOYMENT": "mutations",
            "PYTHONPATH": str(own / "site-packages"),
        },
    )


def executed(engine: Engine, project: Project) -> set[str]:
    """The steps that a run executed; all others were taken from the cache."""
    engine.run(project, [RUN])
    document = project.json("show", "latest")
    assert document["orchestrator"] == engine.orchestrator
    found = statuses(document)
    assert set(found.values()) <= {"completed", "cached"}, found
    return {name for name, status in found.items() if status == "completed"}


def test_only_what_an_edit_reaches_runs_again(engine: Engine, tmp_path: Path) -> None:
    first = checkout(tmp_path, {}).json("run", RUN.reference)
    assert set(statuses(first).values()) == {"completed"}
    assert executed(engine, checkout(tmp_path, A_COMMENT, customs="1.1")) == {"levy"}
    # the charges are others now, and what is cleaned is not
    assert executed(engine, checkout(tmp_path, {**A_HELPER, **A_CONSTANT})) == {"clean", "price", "gather"}
