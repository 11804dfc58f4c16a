"""Airflow's own loader accepts every emitted file, and finds in it what the text says."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from integration_tests.conftest import ROOT, require
from integration_tests.services.airflow_release import RELEASES, AirflowRelease
from zen_airflow import AirflowAdapter
from zen_airflow.conformance import Conformance
from zen_core.testing.cases import all_cases
from zen_core.testing.conformance.emitted import compile_case, supports

LOAD = """
import dataclasses, json, sys
from pathlib import Path
from zen_airflow.conformance import Conformance

loaded = Conformance().load(Path(sys.argv[1]))
documents = {name: dataclasses.asdict(dag) for name, dag in loaded.items()}
Path(sys.argv[2]).write_text(json.dumps(documents, default=sorted))
"""


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.environment)
def test_loaded_dags_are_what_the_text_says(
    request: pytest.FixtureRequest, release: AirflowRelease, tmp_path: Path
) -> None:
    require(request, f"airflow {release.version} loads what is emitted", release.missing())
    adapter = AirflowAdapter()
    compiled = {case.name: compile_case(adapter, case) for case in all_cases() if supports(adapter, case)}
    for item in compiled.values():
        item.write(tmp_path / "dags")
    loaded = _load(release, tmp_path)
    assert set(loaded) == set(compiled)
    for name, item in compiled.items():
        said = Conformance().read(item.files)
        found = loaded[name]
        assert found["defaults"] == said.defaults, name
        assert set(found["required"]) == said.required
        assert set(found["tags"]) == said.tags
        assert set(found["steps"]) == set(said.steps)
        for step, expected in said.steps.items():
            actual = found["steps"][step]
            assert set(actual.pop("upstream")) == expected.upstream, (name, step)
            if actual["branch"]:
                actual["branch"] = tuple(actual["branch"])  # JSON has no tuples
            assert actual == {field: getattr(expected, field) for field in actual}, (name, step)


def _load(release: AirflowRelease, folder: Path) -> dict[str, dict[str, object]]:
    answer = folder / "loaded.json"
    done = subprocess.run(
        [release.prefix / "bin" / "python", "-c", LOAD, folder / "dags", answer],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "adapters", "metadata")),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, dict[str, object]] = json.loads(answer.read_text())
    return found
