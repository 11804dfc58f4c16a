"""The commands of "Put Zen onto the Dagster you have", typed in a shell that has both."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from integration_tests.airflow.zen import Project, copy_example, statuses
from integration_tests.how_to.page import follow
from integration_tests.services.dagster import Dagster
from integration_tests.services.postgres import PostgresServer

PIPELINE = "breast_cancer"


def test_page_leads_to_a_run_with_its_lineage(dagster: Dagster, postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database("page_dagster", driver="psycopg")
    project = copy_example(PIPELINE, tmp_path, {})
    shutil.copytree(project.folder / "data", tmp_path / "data" / "data")
    (tmp_path / "defs").mkdir()
    zen = Path(sys.executable).parent
    printed = follow(
        "run-on-dagster.md",
        project.folder,
        instead={
            "postgresql://zen:secret@db.example.com/zen": url,
            "/srv/zen/artifacts": str(tmp_path / "artifacts"),
            "/srv/data": str(tmp_path / "data"),
            "/srv/dagster/defs": str(tmp_path / "defs"),
        },
        environment={
            **dagster.environment,
            "PATH": f"{zen}{os.pathsep}{dagster.environment['PATH']}",
            "ZEN_MLFLOW_SYNC": "off",
        },
        after={},
    )
    reader = Project(project.folder, {"ZEN_LINEAGE_URL": url, "ZEN_STACK": "dagster"})
    document = reader.json("show", "latest")
    assert document["orchestrator"] == "dagster"
    assert document["deployment"] == "dagster-prod"
    assert set(statuses(document).values()) == {"completed"}
    assert "defs folder" in printed
    emitted = [place for place in (tmp_path / "defs").rglob("*") if place.is_file()]
    assert len(emitted) >= 3
    assert not any(url.encode() in place.read_bytes() for place in emitted)
