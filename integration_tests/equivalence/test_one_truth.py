"""The headline: one pipeline, one truth, whichever engine ran it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project, copy_example, statuses
from integration_tests.equivalence.conftest import Comparison
from integration_tests.equivalence.engines import Engine, PipelineRun, run_on
from zen_core.testing.lineage import canonical_lineage, first_difference

EXAMPLE = PipelineRun("pipelines/training.py:breast_cancer", {"depth": 3})
ZONE = ', timezone="Europe/Berlin"'
FAILING = """
import time
from typing import Annotated

from zen_core import Retry, current, pipeline, step


@step
def measure(number: int) -> tuple[Annotated[int, "same"], Annotated[list[float], "parts"]]:
    return number, [number / 3, number / 7]


@step(retry=Retry(times=2, delay="1s"))
def recover(same: int) -> int:
    if current().attempt < 3:
        raise ConnectionError("not yet")
    return same + 1


@step(retry=Retry(times=2, delay="1s"))
def break_down(parts: list[float]) -> int:
    raise ValueError(f"{len(parts)} parts are too few")


@step(timeout="1s")
def stall(same: int) -> int:
    time.sleep(600)
    return same


@step
def never(broken: int) -> int:
    return broken


@step
def beside(values: list[int]) -> int:
    return sum(values)


@pipeline
def failing(number: int = 13):
    measured = measure(number)
    recovered = recover(measured.same)
    never(break_down(measured.parts))
    stall(measured.same)
    beside([recovered, measured.same])
"""


@dataclass(frozen=True)
class FirstRun:
    """A run on stores that were empty, and the project with these stores."""

    project: Project
    document: Mapping[str, Any]


@pytest.fixture(scope="module")
def first_runs(
    engines: dict[str, Engine], comparison: Comparison, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, FirstRun]:
    """The example on each engine, each with stores of its own."""
    runs = {}
    for name, engine in engines.items():
        folder = tmp_path_factory.mktemp("engine")
        project = copy_example("breast_cancer", folder, fresh_stores(folder))
        project = project.with_variables(ZEN_DATA_ROOT=str(project.folder))
        _take_time_zone_out(project)
        (document,) = run_on(engine, project, [EXAMPLE])
        runs[name] = FirstRun(project, document)
        comparison.add(name, runs[name].document)
    return runs


def test_one_pipeline_has_one_lineage(first_runs: dict[str, FirstRun]) -> None:
    lineages = {name: canonical_lineage(run.document, tell_cached=True) for name, run in first_runs.items()}
    assert set(statuses(first_runs["local"].document).values()) == {"completed"}
    assert differences(lineages) == {}


def test_what_one_engine_did_the_next_one_does_not_do_again(
    engines: dict[str, Engine], first_runs: dict[str, FirstRun], comparison: Comparison
) -> None:
    names = list(engines)
    for first, second in zip(names, [*names[1:], names[0]], strict=True):
        before = first_runs[first]
        (document,) = run_on(engines[second], before.project, [EXAMPLE])
        found = statuses(document)
        hits = list(found.values()).count("cached")
        comparison.notes.append(f"{second} on the stores that {first} filled: {hits} of {len(found)} steps cached")
        assert set(found.values()) == {"cached"}, f"{second} after {first}: {found}"
        assert {step["reused_from"] for step in document["steps"]} == {before.document["run_id"]}
        difference = first_difference(canonical_lineage(document), canonical_lineage(before.document))
        assert difference == "", f"{second} after {first}: {difference}"


def test_a_run_of_each_engine_can_be_made_again_here(first_runs: dict[str, FirstRun]) -> None:
    for name, run in first_runs.items():
        made = run.project.json("reproduce", run.document["run_id"], "--no-environment", expect=(0, 1))
        assert [item for item in made["artifacts"] if not item["equal"]] == [], name
        assert (made["equal"], made["code"]["left_out"]) == (True, []), f"{name}: {made['problem']}"
        assert len(made["artifacts"]) == sum(len(step["outputs"]) for step in run.document["steps"])


def test_a_failure_is_drawn_the_same(engines: dict[str, Engine], comparison: Comparison, tmp_path: Path) -> None:
    lineages, attempts = {}, {}
    for number, (name, engine) in enumerate(engines.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "zen.toml").write_text('project = "equivalence"\n')
        (folder / "work.py").write_text(FAILING)
        project = Project(folder, fresh_stores(folder))
        (document,) = run_on(engine, project, [PipelineRun("work.py:failing", {"number": 21})])
        comparison.add(name, document)
        lineages[name] = canonical_lineage(document, tell_cached=True)
        attempts[name] = {step["name"]: (step["status"], step["attempts"]) for step in document["steps"]}
    assert attempts["local"] == {
        "measure": ("completed", 1),
        "recover": ("completed", 3),
        "break_down": ("failed", 3),
        "never": ("upstream_failed", 0),
        "stall": ("failed", 1),
        "beside": ("completed", 1),
    }
    assert {name: drawn for name, drawn in attempts.items() if drawn != attempts["local"]} == {}
    assert {lineage["status"] for lineage in lineages.values()} == {"failed"}
    assert differences(lineages) == {}


def _take_time_zone_out(project: Project) -> None:
    """KFP refuses a schedule in a time zone; when a run is started makes no difference here."""
    file = project.folder / "pipelines" / "training.py"
    text = file.read_text()
    assert ZONE in text
    file.write_text(text.replace(ZONE, ""))


def differences(lineages: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Engine -> where its lineage first differs from the embedded engine's; without those that agree."""
    found = {name: first_difference(lineage, lineages["local"]) for name, lineage in lineages.items()}
    return {name: difference for name, difference in found.items() if difference}


def fresh_stores(folder: Path) -> dict[str, str]:
    """Settings for stores that nobody has used."""
    return {
        "ZEN_LINEAGE_URL": f"sqlite:///{folder / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(folder / "artifacts"),
        "ZEN_SHARED_FILESYSTEM": "true",
        "ZEN_DEPLOYMENT": "equivalence",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "ZEN_MLFLOW_SYNC": "off",
    }
