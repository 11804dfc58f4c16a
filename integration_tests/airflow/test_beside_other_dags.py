"""An Airflow that is there already, with DAGs of its own, keeps them as they were."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from integration_tests.airflow.zen import copy_example
from integration_tests.services.airflow_offline import AirflowOffline


def test_the_dags_that_ship_with_airflow_stay_as_they_were(airflow_offline: AirflowOffline, tmp_path: Path) -> None:
    (shipped,) = airflow_offline.release.prefix.glob("lib/python*/site-packages/airflow/example_dags")
    dags = tmp_path / "dags"
    needs_a_plugin = ("example_custom_weight.py", "example_workday_timetable.py")
    shutil.copytree(shipped, dags, ignore=shutil.ignore_patterns("__pycache__", *needs_a_plugin))
    files, before = digests(dags), airflow_offline.load(dags)
    assert len(before.dags) > 40

    project = copy_example("breast_cancer", tmp_path, {})
    compile_command = ("--stack", "airflow", "compile", "pipelines/training.py:breast_cancer", "--for", "airflow")
    project.zen(*compile_command, "--out", str(dags))

    after = airflow_offline.load(dags)
    assert after.errors == before.errors
    assert after.dags.keys() - before.dags.keys() == {"breast_cancer"}
    assert {dag_id: after.dags[dag_id] for dag_id in before.dags} == before.dags
    assert {file: digest for file, digest in digests(dags).items() if file in files} == files
    assert airflow_offline.dag_test(dags / "tutorial_taskflow_api.py", "tutorial_taskflow_api").state == "success"


def digests(folder: Path) -> dict[Path, str]:
    """The content of each file, by its place."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
