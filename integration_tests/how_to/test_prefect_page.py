"""The commands of "Put Zen onto the Prefect you have", typed against a real server and worker."""

from __future__ import annotations

import shutil
from pathlib import Path

from integration_tests.airflow.zen import Project, copy_example, statuses
from integration_tests.how_to.page import follow
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.prefect import POOL, Prefect
from integration_tests.services.processes import wait_until

PIPELINE = "breast_cancer"


def test_page_leads_to_a_run_with_its_lineage(prefect: Prefect, postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database("page_prefect", driver="psycopg")
    project = copy_example(PIPELINE, tmp_path, {})
    shutil.copytree(project.folder / "data", tmp_path / "data" / "data")
    reader = Project(project.folder, {"ZEN_LINEAGE_URL": url, "ZEN_STACK": "prefect"})

    def finished() -> bool:
        runs = reader.json("runs", expect=(0, 2))
        return isinstance(runs, list) and bool(runs) and runs[0]["status"] in ("completed", "failed")

    printed = follow(
        "run-on-prefect.md",
        project.folder,
        instead={
            "postgresql://zen:secret@db.example.com/zen": url,
            "/srv/zen/artifacts": prefect.variables["ZEN_ARTIFACT_URL"],
            "/srv/data": str(tmp_path / "data"),
            "/srv/flows": str(tmp_path / "flows"),
            "ml-pool": POOL,
        },
        environment={**prefect.environment, "ZEN_MLFLOW_SYNC": "off"},
        after={"deployment run": lambda: wait_until(finished, 120, what="the run to end")},
    )

    reader = reader.with_variables(ZEN_ARTIFACT_URL=prefect.variables["ZEN_ARTIFACT_URL"])
    document = reader.json("show", "latest")
    assert document["orchestrator"] == "prefect"
    assert document["parameters"]["depth"] == 5
    assert set(statuses(document).values()) == {"completed"}
    assert "unchanged: it was deployed already" in printed
    assert '"ZEN_LINEAGE_URL": "zen-lineage-url"' in (tmp_path / "flows" / f"{PIPELINE}.py").read_text()
    for path in (tmp_path / "flows").rglob("*"):
        assert not path.is_file() or url.encode() not in path.read_bytes()
