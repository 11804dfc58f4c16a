"""The events of real runs: what they say, and that they are valid under the specification's schemas and Zen's."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.tracking.background import start_background_sync
from zen_metadata.tracking.locks import file_lock
from zen_metadata.tracking.openlineage.sync import sync

_STATUS_FACETS = {"zen_cache", "errorMessage", "zen_map"}


def _told(receiver: Any) -> list[tuple[str, str]]:
    return [(event["eventType"], event["job"]["name"]) for event in receiver.events]


def _one(receiver: Any, kind: str, job: str) -> dict[str, Any]:
    [event] = [event for event in receiver.events if (event["eventType"], event["job"]["name"]) == (kind, job)]
    return event


def _names(datasets: list[dict[str, Any]]) -> list[str]:
    return [f"{dataset['namespace']} {dataset['name']}" for dataset in datasets]


def test_all_events_are_valid_under_every_schema_that_they_name(
    shop: Any, receiver: Any, specification: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for pipeline in ("shop", "shop", "failing"):
        shop.run(pipeline)
    assert sync(shop.settings).error == ""
    report: Counter[tuple[str, str]] = Counter()
    problems = []
    for event in receiver.events:
        for schema, found in specification.check(event):
            report[event["eventType"], schema.rpartition("/")[2]] += 1
            problems += [f"{event['eventType']} {event['job']['name']}: {schema}: {problem}" for problem in found]
    with capsys.disabled():
        print(f"\nOpenLineage: {len(receiver.events)} events, {report.total()} checks, {len(problems)} problems")
        print(f"  files of the specification: {len(specification.published)}")
        for (kind, schema), count in sorted(report.items()):
            print(f"  {kind:9} {schema:36} {count:4} valid")
    assert problems == []
    assert {kind for kind, _ in report} == {"START", "COMPLETE", "FAIL"}
    assert {schema for _, schema in report} == {
        *("RunEvent", "ParentRunFacet", "ProcessingEngineRunFacet", "ErrorMessageRunFacet", "TagsRunFacet"),
        *("JobTypeJobFacet", "SchemaDatasetFacet", "DatasetVersionDatasetFacet", "OutputStatisticsOutputDatasetFacet"),
        *("ZenRunFacet", "ZenStepFacet", "ZenMapFacet", "ZenCacheFacet", "ZenEnvironmentFacet", "ZenArtifactFacet"),
    }


def test_the_schemas_find_what_is_wrong(shop: Any, receiver: Any, specification: Any) -> None:
    shop.run("shop")
    sync(shop.settings)
    for break_it in (
        lambda event: event["run"].update(runId="7"),
        lambda event: event.update(eventTime="yesterday"),
        lambda event: event.update(eventType="DONE"),
        lambda event: event["job"].pop("namespace"),
        lambda event: event["job"]["facets"]["jobType"].pop("integration"),
        lambda event: event["run"]["facets"]["parent"]["run"].pop("runId"),
        lambda event: event["outputs"][0]["facets"]["schema"]["fields"][0].pop("name"),
        lambda event: event["run"]["facets"]["zen_cache"].update(hit="yes"),
        lambda event: event["run"]["facets"]["zen_cache"].update(_schemaURL="urn:zen:openlineage:9#/$defs/Z"),
    ):
        event = _one(receiver, "COMPLETE", "shop.load")
        assert not any(found for _, found in specification.check(event))
        break_it(event)
        assert any(found for _, found in specification.check(event))


def test_a_run_is_told_in_the_order_in_which_it_happened(shop: Any, receiver: Any) -> None:
    run_id = shop.run("shop")
    report = sync(shop.settings)
    assert (report.pending, report.error) == (0, "")
    assert _told(receiver) == [
        ("START", "shop"),
        *((kind, f"shop.{step}") for step in ("load", "parts") for kind in ("START", "COMPLETE")),
        *((kind, "shop.fit") for kind in ("START", "COMPLETE")),
        *((kind, f"shop.{step}") for step in ("pick", "publish") for kind in ("START", "COMPLETE")),
        ("COMPLETE", "shop"),
    ]
    times = [event["eventTime"] for event in receiver.events]
    assert times == sorted(times)
    assert {event["run"]["runId"] for event in receiver.events if event["job"]["name"] == "shop"} == {run_id}
    parents = [event["run"]["facets"].get("parent") for event in receiver.events]
    assert parents[0] is None
    assert parents[1]["root"] == {"run": {"runId": run_id}, "job": {"namespace": "shop", "name": "shop"}}
    assert {event["job"]["namespace"] for event in receiver.events} == {"shop"}


def test_a_step_names_what_it_read_and_made(shop: Any, receiver: Any) -> None:
    shop.run("shop")
    sync(shop.settings)
    event = _one(receiver, "COMPLETE", "shop.load")
    assert _names(event["inputs"]) == [f"file {shop.root}/orders.csv"]
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"].startswith("sha256:")
    [orders] = event["outputs"]
    assert _names([orders]) == ["zen://shop shop/orders"]
    assert [(field["name"], field["type"]) for field in orders["facets"]["schema"]["fields"]] == [
        ("id", "int64"),
        ("amount", "float64"),
    ]
    assert orders["facets"]["version"]["datasetVersion"] == "1"
    assert Path(orders["facets"]["zen_artifact"]["uri"]).is_file()
    statistics = orders["outputFacets"]["outputStatistics"]
    assert statistics["rowCount"] == 3
    assert statistics["size"] == Path(orders["facets"]["zen_artifact"]["uri"]).stat().st_size
    assert _names(_one(receiver, "START", "shop.parts")["inputs"]) == ["zen://shop shop/orders"]
    assert "/bin" not in str(event["run"]["facets"]["zen_environment"])
    assert "PATH" in event["run"]["facets"]["zen_environment"]["variables"]


def test_a_mapped_step_is_one_run_with_counts(shop: Any, receiver: Any) -> None:
    (shop.root / "orders.csv").write_text("id,amount\n" + "".join(f"{at},1.0\n" for at in range(9)))
    shop.run("shop")
    sync(shop.settings)
    event = _one(receiver, "FAIL", "shop.fit")
    details = event["run"]["facets"]["zen_map"]
    assert (details["elements"], details["statuses"]) == (9, {"completed": 8, "failed": 1})
    assert event["run"]["facets"]["errorMessage"]["message"] == "ValueError: part 7"
    assert _names(event["outputs"]) == ["zen://shop shop/score"]
    assert event["outputs"][0]["facets"]["zen_artifact"]["elements"] == 8
    assert len(receiver.events) == 2 * 4  # the run, load, parts, fit
    assert _one(receiver, "FAIL", "shop")["run"]["facets"]["errorMessage"]["message"] == "failed: fit[7]"


def test_a_cached_step_is_complete_and_says_where_its_result_comes_from(shop: Any, receiver: Any) -> None:
    first = shop.run("shop")
    sync(shop.settings)
    made = _one(receiver, "COMPLETE", "shop.load")
    assert made["run"]["facets"]["zen_cache"]["hit"] is False
    receiver.forget()
    shop.run("shop")
    sync(shop.settings)
    event = _one(receiver, "COMPLETE", "shop.load")
    cache = event["run"]["facets"]["zen_cache"]
    assert (cache["hit"], cache["reusedFrom"], cache["reusedAttempt"]) == (True, first, made["run"]["runId"])
    assert event["outputs"][0]["facets"] == made["outputs"][0]["facets"]
    assert not event["outputs"][0].get("outputFacets")
    assert _one(receiver, "COMPLETE", "shop.fit")["run"]["facets"]["zen_map"]["statuses"] == {"cached": 3}


def test_each_attempt_is_a_run_and_errors_hold_no_password(shop: Any, receiver: Any) -> None:
    shop.run("failing")
    sync(shop.settings)
    failed, done = _one(receiver, "FAIL", "failing.flaky"), _one(receiver, "COMPLETE", "failing.flaky")
    assert failed["run"]["runId"] != done["run"]["runId"]
    shared = {event["run"]["facets"]["zen_step"]["stepRunId"] for event in (failed, done)}
    assert len(shared) == 1
    error = failed["run"]["facets"]["errorMessage"]
    assert error["message"] == "ConnectionError: reset at https://files.example.com/x"
    assert "in flaky" in error["stackTrace"]
    assert b"hunter22" not in b"".join(receiver.bodies)
    assert failed["outputs"] == []
    assert _one(receiver, "FAIL", "failing")["run"]["facets"]["errorMessage"]["message"] == "failed: broken"


def test_the_same_facts_make_the_same_bytes(shop: Any, receiver: Any) -> None:
    run_id = shop.run("shop")
    sync(shop.settings)
    first = list(receiver.bodies)
    receiver.forget()
    with closing(open_lineage_store(shop.settings.lineage_url)) as store:
        store.request_projection("shop", "openlineage", [run_id])
    assert sync(shop.settings).projected == 1
    assert receiver.bodies == first


def test_the_background_process_sends_the_same_events(shop: Any, receiver: Any) -> None:
    shop.run("shop")
    assert start_background_sync(replace(shop.settings, mlflow_tracking_uri=""))
    with file_lock(shop.settings.state_folder / "sync.lock"):  # which the process holds until it is done
        from_process = list(receiver.bodies)
    assert b'"COMPLETE"' in from_process[-1]
    receiver.forget()
    with closing(open_lineage_store(shop.settings.lineage_url)) as store:
        store.request_projection("shop", "openlineage", None)
    sync(shop.settings)
    assert receiver.bodies == from_process
