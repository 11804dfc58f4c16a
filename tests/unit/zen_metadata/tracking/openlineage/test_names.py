"""Names of datasets, addresses of code, and facets of what a local run has not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from zen_core.contract.settings import Settings
from zen_metadata.lineage.records import ArtifactRecord, RunRecord
from zen_metadata.tracking.openlineage.datasets import Datasets, name_of_file
from zen_metadata.tracking.openlineage.facets import Facets, columns_of, rows_of

FACETS = Facets("1.2.3")
COMMIT = "3f2a9c1d0b5e3f2a9c1d0b5e3f2a9c1d0b5e3f2a"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/data/rows.csv", ("file", "/data/rows.csv")),
        ("file:///data/my%20rows.csv", ("file", "/data/my rows.csv")),
        ("s3://bucket/folder/rows.csv", ("s3://bucket", "folder/rows.csv")),
        ("s3a://bucket/rows#1?.csv", ("s3://bucket", "rows#1?.csv")),
        ("gcs://bucket/rows.csv", ("gs://bucket", "rows.csv")),
        (
            "abfs://box@account.dfs.core.windows.net/a/b",
            ("abfss://box@account.dfs.core.windows.net", "a/b"),
        ),
        ("https://me:secret@files.example.com/rows.csv", ("https://files.example.com", "rows.csv")),
        ("s3://bucket", ("s3://bucket", "/")),
    ],
)
def test_a_file_has_the_specifications_name(address: str, expected: tuple[str, str]) -> None:
    assert name_of_file(address) == expected


def _source(location: str) -> ArtifactRecord:
    return ArtifactRecord("a", "p", "", location, "sha256:1", "sha256:1", "File", "", 0, location, 1, kind="source")


@pytest.mark.parametrize(
    ("data_root", "location", "expected"),
    [
        ("s3://bucket/data/", "./rows.csv", ("s3://bucket", "data/rows.csv")),
        ("/srv/data", "rows.csv", ("file", "/srv/data/rows.csv")),
        ("/srv/data", "s3://other/rows.csv", ("s3://other", "rows.csv")),
        ("s3://bucket", "/srv/rows.csv", ("file", "/srv/rows.csv")),
    ],
)
def test_a_relative_file_lies_below_the_data_root(data_root: str, location: str, expected: tuple[str, str]) -> None:
    [dataset] = Datasets(FACETS, Settings(data_root=data_root)).inputs([_source(location)])
    assert (dataset["namespace"], dataset["name"]) == expected


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:shop/flows.git", f"https://github.com/shop/flows/blob/{COMMIT}/ml/flow.py"),
        ("https://gitlab.example.com/shop/flows", f"https://gitlab.example.com/shop/flows/-/blob/{COMMIT}/ml/flow.py"),
        ("ssh://git@bitbucket.org:22/shop/flows.git", f"https://bitbucket.org/shop/flows/src/{COMMIT}/ml/flow.py"),
        ("https://me:secret@git.example.com/flows.git", "https://git.example.com/flows"),
    ],
)
def test_code_is_shown_where_its_host_shows_it(specification: Any, remote: str, url: str) -> None:
    snapshot = {"git": {"remote": remote, "commit": COMMIT, "branch": "main", "folder": "ml"}}
    facet = FACETS.source_code(snapshot, "flow.py:12")
    assert facet is not None
    assert specification.problems(facet["_schemaURL"], facet) == []
    assert (facet["url"], facet["path"], facet["version"]) == (url, "ml/flow.py", COMMIT)
    assert "secret" not in str(facet)


def test_code_without_a_remote_has_no_address() -> None:
    assert FACETS.source_code({"git": {"remote": None, "commit": COMMIT}}, "flow.py:1") is None
    assert FACETS.source_code({}, "flow.py:1") is None


def test_a_scheduled_run_says_for_which_time(specification: Any) -> None:
    scheduled = datetime(2026, 5, 1, 6, tzinfo=timezone(timedelta(hours=2)))
    run = RunRecord(
        "r", "p", "flow", "prod", "airflow", "k", "sha256:ir", "", "1.2.3", {}, scheduled_at=scheduled, tags=("a",)
    )
    facets = FACETS.of_run(run)
    assert facets["nominalTime"]["nominalStartTime"] == "2026-05-01T04:00:00.000000Z"
    assert facets["processing_engine"]["name"] == "Zen on airflow"
    for facet in (*facets.values(), FACETS.run_details(run)):
        assert specification.problems(facet["_schemaURL"], facet) == []


def test_columns_and_rows_are_those_that_the_serializers_record() -> None:
    frame = {"kind": "frame", "shape": [3, 2], "columns": {"id": "int64", "amount": "float64"}}
    table = {"rows": 5, "columns": ["id"]}
    assert columns_of(frame)[1] == {"name": "amount", "type": "float64", "ordinal_position": 2}
    assert columns_of(table) == [{"name": "id", "ordinal_position": 1}]
    assert (rows_of(frame), rows_of(table), rows_of({"shape": [3]})) == (3, 5, None)
    assert columns_of({"shape": [3]}) == []
