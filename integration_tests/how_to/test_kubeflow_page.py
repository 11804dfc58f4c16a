"""The commands of "Put Zen onto the Kubeflow Pipelines you have", typed against a stand-in for its API."""

from __future__ import annotations

import os
from pathlib import Path

from integration_tests.airflow.zen import copy_example
from integration_tests.how_to.page import follow
from integration_tests.services.kfp import Kfp
from integration_tests.services.kfp_api import KfpApi
from integration_tests.services.postgres import PostgresServer

PIPELINE = "breast_cancer"


def test_page_leads_to_an_uploaded_version(kfp_sdk: Kfp, postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database("page_kubeflow", driver="psycopg")
    project = copy_example(PIPELINE, tmp_path, {})
    artifacts = tmp_path / "artifacts"
    with KfpApi() as api:
        printed = follow(
            "run-on-kubeflow.md",
            project.folder,
            instead={
                "postgresql://zen:secret@db.example.com/zen": url,
                "s3://company-ml/zen": f"file://{artifacts}",
                "s3://company-data": f"file://{project.folder}",
                "https://kubeflow.example.com/pipeline": api.url,
                'deployment = "kfp-prod"': 'shared_filesystem = true\ndeployment = "kfp-prod"',
            },
            environment={**kfp_sdk.environment, "ZEN_MLFLOW_SYNC": "off", "HOME": os.environ["HOME"]},
            after={},
        )
    assert [item["display_name"] for item in api.records["pipelines"]] == ["breast-cancer"]
    (package,) = api.packages.values()
    assert b"registry.example.com/zen-steps:7" in package
    assert url.encode() not in package
    assert package == (project.folder / "build" / "kfp" / f"{PIPELINE}.yaml").read_bytes()
    assert len(list((artifacts / "manifests").iterdir())) == len(list((artifacts / "code").iterdir())) == 1
    assert "kfp: API" in printed
