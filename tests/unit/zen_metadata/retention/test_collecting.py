"""`collect`: what goes, what stays, and what is said of it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from contextlib import closing
from dataclasses import replace
from typing import Any

import fsspec
import pytest

from zen_core.contract.bindings import ExternalBinding, ParameterBinding
from zen_core.errors import ArtifactIntegrityError, ArtifactMissingError, NotFoundError, StoreError
from zen_core.ir.specs import CacheSpec
from zen_core.testing.cases.build import element, make_expander, mapped_by, parameter, read
from zen_metadata.lineage.retention import InUse, Tombstone
from zen_metadata.shim.code import bundle_location
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.sidecar import manifest_location

OLD = 40.0
"""Days."""


def counts(done: Any) -> dict[str, int]:
    return {reason: amount.count for reason, amount in done.files.items()}


def test_a_dry_run_says_what_would_go_and_changes_nothing(house: Any) -> None:
    house.run(1)
    house.run(2)
    before = house.stores.artifacts.list()
    done = house.collect(delete=False)
    assert [(item.name, item.version) for item in done.versions] == [("model", 1), ("rows", 1)]
    assert counts(done) == {"version": 2}
    assert done.total.size_bytes == sum(item.size_bytes for item in done.versions)
    assert done.kept == {"newest": 2}
    assert done.deleted is False
    assert house.stores.artifacts.list() == before
    assert house.versions("rows") == {1: True, 2: True}


def test_older_versions_become_tombstones_and_their_bytes_go(house: Any) -> None:
    run = house.run(1)
    house.run(2)
    done = house.collect()
    assert counts(done) == {"version": 2}
    assert house.versions("rows") == house.versions("model") == {1: False, 2: True}
    assert len(house.objects()) == 2
    gone = house.engine.client.artifact("rows", 1)
    assert gone.deletion.endswith("by ana: gc")
    with pytest.raises(ArtifactMissingError, match=r"'rows' version 1 was deleted on .* by ana") as raised:
        gone.load()
    assert raised.value.diagnostics[0].why == "gc"
    shown = house.engine.client.run(run.run_id).to_json()
    assert shown["steps"][0]["outputs"]["result"]["deleted"] == gone.deletion
    assert house.collect().versions == []


def test_a_later_look_up_is_a_miss_that_says_why(house: Any) -> None:
    house.run(1)
    house.run(2)
    house.collect()
    again = house.run(1)
    assert house.made == [1, 2, 1]
    assert [step.status for step in again.steps] == ["completed", "completed"]
    assert {step.state.attempt.cache_reason for step in again.steps} == {"deleted"}
    assert [step.status for step in house.run(1).steps] == ["cached", "cached"]


def test_versions_that_are_young_kept_by_name_or_among_the_last_stay(house: Any) -> None:
    for n in range(4):
        house.run(n)
    assert house.collect(older_than_seconds=3600).versions == []
    assert house.collect(delete=False, keep_last=4).versions == []
    done = house.collect(keep=("shapes/rows@2", "demo/shapes/model"), keep_last=2)
    assert [(item.name, item.version) for item in done.versions] == [("rows", 1)]
    assert done.kept == {"newest": 4, "kept": 3}


def test_a_name_to_keep_that_is_not_there_is_refused(house: Any) -> None:
    house.run(1)
    with pytest.raises(NotFoundError, match="no artifact 'modle' to keep in project 'demo'") as raised:
        house.collect(keep=("modle",))
    assert raised.value.diagnostics[0].hint == "did you mean 'model'?"
    with pytest.raises(NotFoundError, match="no artifact 'model@7' to keep"):
        house.collect(keep=("model@7",))


def test_what_the_latest_run_reused_stays(house: Any) -> None:
    house.run(1)
    house.run(2)
    house.run(1)
    done = house.collect()
    assert done.versions == []
    assert done.kept == {"newest": 2, "latest_run": 2}
    house.run(3)
    assert len(house.collect().versions) == 4


def test_what_is_rolled_back_to_stays(house: Any) -> None:
    house.run(1)
    house.run(2)
    house.engine.client.roll_back("rows", 1, reason="better")
    done = house.collect()
    assert [item.name for item in done.versions] == ["model"]
    assert done.kept == {"newest": 2, "rolled_back": 1}
    assert house.engine.client.artifact("rows").load() == list(range(1, 51))


def test_what_an_open_run_made_stays_until_it_is_over(house: Any) -> None:
    house.run(1, close=False)
    house.run(2)
    done = house.collect()
    assert done.versions == []
    assert done.kept == {"newest": 2, "running": 2}


def let_pass(house: Any, days: float) -> None:
    """Make all runs and attempts older."""
    passed = int(days * 86_400e6)
    with closing(sqlite3.connect(house.engine.settings.root / ".zen" / "zen.db")) as database, database:
        for table, names in {
            "zen_attempts": ("started_at", "heartbeat_at", "ended_at"),
            "zen_runs": ("started_at", "ended_at"),
            "zen_artifacts": ("created_at",),
        }.items():
            changes = ", ".join(f"{name} = {name} - {passed}" for name in names)
            database.execute(f"UPDATE {table} SET {changes}")
    house.age("objects", days)


def test_a_run_that_nobody_closed_is_over_when_all_its_steps_are_or_after_a_month(house: Any) -> None:
    house.run(1, close=False)
    steps = [house.code(name, lambda: [999]) for name in ("rows", "model", "never")]
    house.engine.begin(*steps)
    house.engine.start("rows")
    let_pass(house, 2)
    house.run(2)
    done = house.collect()
    # The first run did all that it had to do; the second may go on.
    assert [(item.name, item.version) for item in done.versions] == [("model", 1), ("rows", 1)]
    assert done.kept["running"] == 1
    let_pass(house, 31)
    house.run(3)
    assert [(item.name, item.version) for item in house.collect(keep_last=2).versions] == [("rows", 2)]


def test_what_an_open_run_has_pinned_stays(house: Any) -> None:
    house.run(1)
    wait = house.code("look", lambda x: len(x), x=ExternalBinding(artifact="shapes/rows"))
    house.engine.run(wait, close=False, name="reader")
    house.run(2)
    assert [item.name for item in house.collect().versions] == ["model"]
    assert house.versions("rows") == {1: True, 2: True}
    house.engine.begin(wait, name="other")
    house.engine.start("look")
    assert house.engine.failures == {}


def test_bytes_that_another_artifact_shares_stay(house: Any) -> None:
    same = {"rows": lambda n: [7] * 50}
    for n in (1, 2):
        step = house.code("rows", same["rows"], n=ParameterBinding(parameter="n"))
        house.engine.run(step, parameters={"n": n})
    done = house.collect()
    assert len(done.versions) == 1
    assert counts(done) == {}
    assert house.engine.client.artifact("rows").load() == [7] * 50


def spread(house: Any, n: int, **facts: Any) -> Any:
    """A list, a map over it; its elements have no record of their own."""
    return house.engine.run(
        house.code("lists", lambda n: [[n, index] for index in range(3)], n=parameter("n")),
        make_expander("spread", {"x": read("lists")}),
        house.code("one", lambda x: [sum(x)], x=element("spread", "x"), _map=mapped_by("spread")),
        parameters={"n": n},
        **facts,
    )


def test_elements_of_maps_stay_as_long_as_their_list(house: Any) -> None:
    spread(house, 1)
    house.age("objects", OLD)
    assert counts(house.collect(older_than_seconds=3600)) == {}
    run = spread(house, 2)
    house.age("objects", OLD)
    done = house.collect()
    # The list of lists, what was made of its elements (of which all of one run are one version), and the elements.
    assert {item.name for item in done.versions} == {"lists", "one"}
    assert counts(done)["unreferenced"] == 3
    collections = house.stores.lineage.find_outputs(run.run_id, "spread")[None].outputs
    assert len(house.stores.artifacts.load(collections["x"], scratch=house.engine.settings.root)) == 3
    for index in range(3):
        record = house.engine.workspace.collections.element(collections["x"], index, house.engine.settings.root)
        assert house.stores.artifacts.load(record, scratch=house.engine.settings.root) == [2, index]
    assert run.step("spread").outputs["count"].record.inline_value == 3


def test_all_elements_of_one_run_count_as_one_version(house: Any) -> None:
    spread(house, 1)
    spread(house, 2)
    assert [item.version for item in house.collect().versions if item.name == "one"] == [3, 2, 1]
    assert house.versions("one") == {1: False, 2: False, 3: False, 4: True, 5: True, 6: True}


def test_bytes_without_a_record_go_after_a_day(house: Any) -> None:
    house.run(1)
    stored = house.stores.artifacts.save(list(range(1000)), scratch=house.engine.settings.root)
    assert counts(house.collect()) == {}
    house.age("objects", 0.9)
    assert counts(house.collect()) == {}
    house.age("objects", 0.2)
    done = house.collect()
    assert {reason: amount.to_json() for reason, amount in done.files.items()} == {
        "unreferenced": {"count": 1, "size_bytes": stored.size_bytes}
    }
    assert not house.stores.artifacts.exists(stored.location)


def test_content_that_is_stored_again_stays_although_its_version_went(house: Any) -> None:
    house.run(1)
    house.run(2)
    old = house.engine.client.artifact("rows", 1)
    house.age("objects", OLD)
    value = old.load()
    again = house.stores.artifacts.save(value, scratch=house.engine.settings.root)
    assert again.location == old.record.location
    assert len(house.collect().versions) == 2
    assert house.stores.artifacts.exists(again.location)


def test_what_a_running_attempt_has_stored_stays_however_old_it_is(house: Any) -> None:
    def slow() -> None:
        stored = house.stores.artifacts.save(list(range(999)), scratch=house.engine.settings.root)
        assert counts(house.collect(grace_seconds=0)) == {}
        assert house.stores.artifacts.exists(stored.location)

    house.engine.run(house.code("slow", slow, _outputs=()))
    assert house.engine.failures == {}
    os.utime(house.stores.artifacts.local_path(house.objects()[0]), (0, 0))
    assert counts(house.collect(grace_seconds=0)) == {"unreferenced": 1}


def test_leftovers_go_when_they_are_old(house: Any) -> None:
    house.run(1)
    artifacts, run_id = house.stores.artifacts, house.engine.record.run_id
    artifacts.write_bytes("tmp/123-abc", b"half")
    artifacts.write_bytes(f"logs/{run_id}/rows/{uuid.uuid4()}.log", b"of an attempt that died")
    artifacts.write_bytes("spool/artifacts/left.json", b"{}")
    artifacts.write_bytes(bundle_location("sha256:0ddba11"), b"of no run")
    artifacts.write_bytes(bundle_location("sha256:c0de"), b"of the runs")
    artifacts.write_bytes(bundle_location("sha256:deb107ed"), b"of what was pushed")
    artifacts.write_bytes(manifest_location("abc"), b'{"code_digest": "sha256:deb107ed"}')
    artifacts.write_bytes("corrupt/abc.json/123", b"damaged")
    assert counts(house.collect(older_than_seconds=3600)) == {}
    for prefix in ("tmp", "logs", "spool", "code", "manifests", "corrupt"):
        house.age(prefix, OLD)
    young = {"staged": 1, "log": 1, "spool": 1}
    assert counts(house.collect(delete=False, older_than_seconds=50 * 86_400)) == young
    assert counts(house.collect()) == {**young, "code": 1, "quarantined": 1}
    left = [location for location in artifacts.list() if not location.startswith(("objects", "logs"))]
    assert left == ["code/c0de.zip", "code/deb107ed.zip", "manifests/abc.json"]


def test_what_waits_in_the_spool_keeps_what_it_refers_to(house: Any) -> None:
    away = replace(house.engine.settings, lineage_url="postgresql://zen@127.0.0.1:1/zen?connect_timeout=1")
    house.run(1)
    here, house.engine.settings = house.engine.settings, away
    house.engine.workspace = house.engine.open()
    house.engine.begin(house.code("spooled", lambda: list(range(99))))
    house.engine.start("spooled")
    house.engine.workspace.close()
    house.engine.settings = here
    house.engine.workspace = house.engine.open()
    for prefix in ("objects", "spool"):
        house.age(prefix, OLD)
    done = house.collect()
    assert (done.pending, counts(done)) == (1, {})
    [event] = house.stores.artifacts.list("spool/events")
    data = house.stores.artifacts.read_bytes(event)
    assert replay(house.stores.lineage, house.stores.artifacts).replayed == 1
    house.stores.artifacts.write_bytes(event, data)  # the replay was killed before it removed the file
    assert counts(house.collect(older_than_seconds=3600)) == {"spool": 1}
    house.stores.artifacts.write_bytes(event, b"{torn")
    with pytest.raises(StoreError, match=r"the spool file .* is damaged"):
        house.collect()
    replay(house.stores.lineage, house.stores.artifacts)
    house.age("spool", OLD)
    assert counts(house.collect(older_than_seconds=3600)) == {}
    kept = [event.replace("/events/", "/refused/")]
    assert house.stores.artifacts.list("spool") == kept, "somebody may yet mend what was set aside"


def test_a_result_that_is_deleted_between_look_up_and_reuse_is_made_again(house: Any) -> None:
    first = house.code("first", lambda: None, _outputs=())
    rows = house.code("rows", lambda: [1, 2, 3], _cache=CacheSpec(enabled=True))
    house.engine.run(first, rows)
    house.engine.begin(first, rows)
    house.engine.start("first")  # the run is recorded: what the next step writes first is that it reuses a result
    lineage = house.engine.workspace.lineage
    with closing(sqlite3.connect(house.engine.settings.root / ".zen" / "zen.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=house.engine.start, args=("rows",))
        thread.start()
        while not lineage._database._writer.locked():
            time.sleep(0.001)
        database.execute("UPDATE zen_artifacts SET deleted_at = 1, deleted_by = 'ana', deleted_reason = 'gc'")
        database.execute("COMMIT")
    thread.join()
    assert house.engine.failures == {}
    step = house.engine.shown.step("rows")
    assert (step.status, step.state.attempt.cache_reason) == ("completed", "deleted")
    assert step.output().load() == [1, 2, 3]


def test_where_another_lineage_store_seems_to_be_at_work_nothing_is_deleted(house: Any) -> None:
    house.run(1)
    house.run(2)
    stranger = str(uuid.uuid4())
    house.stores.artifacts.write_bytes(f"logs/{stranger}/fit/{uuid.uuid4()}.log", b"a log")
    assert len(house.collect(delete=False).versions) == 2
    house.age("logs", 2)
    assert house.collect(delete=False).foreign == 1
    with pytest.raises(StoreError, match="holds logs of 1 runs that the lineage store does not know") as raised:
        house.collect()
    assert stranger in raised.value.diagnostics[0].why
    assert "--sole" in raised.value.diagnostics[0].hint
    assert house.versions("rows") == {1: True, 2: True}
    assert counts(house.collect(sole=True)) == {"version": 2, "log": 1}


def test_two_at_once_do_no_harm(house: Any) -> None:
    house.run(1)
    house.run(2)
    first = house.collect(delete=False)
    assert len(house.collect().versions) == 2
    listed = house.stores.artifacts.files("objects")
    assert house.collect().versions == []
    assert len(first.versions) == 2
    house.run(1)
    assert house.stores.artifacts.remove_unchanged([]) == []
    assert {file.location for file in listed} < set(house.objects())


def test_what_one_that_was_killed_left_is_taken_up_by_the_next(house: Any) -> None:
    house.run(1)
    house.run(2)
    listed = [item.artifact_id for item in house.collect(delete=False).versions]
    use = InUse(house.stores.lineage.read_clock())
    assert len(house.stores.lineage.bury_unused(listed, Tombstone("ana", "gc"), use)) == 2
    done = house.collect()
    assert (len(done.versions), counts(done)) == (0, {"version": 2})


def test_a_damaged_artifact_is_told_from_a_deleted_one(house: Any) -> None:
    house.run(1)
    record = house.engine.client.artifact("rows").record
    path = house.stores.artifacts.local_path(record.location)
    path.chmod(0o644)
    path.write_bytes(b"[" * record.size_bytes)
    with pytest.raises(ArtifactIntegrityError):
        house.engine.client.artifact("rows").load()
    house.age("corrupt", 1)
    assert counts(house.collect()) == {"quarantined": 1}


def test_an_object_store_keeps_what_was_stored_in_the_last_two_weeks(house: Any) -> None:
    house.engine.settings = replace(house.engine.settings, artifact_url=f"memory://{uuid.uuid4().hex}")
    house.engine.workspace.close()
    house.engine.workspace = house.engine.open()
    house.stores = type(house.stores)(house.engine.settings)
    house.run(1)
    house.run(2)
    done = house.collect()
    assert (len(done.versions), counts(done)) == (2, {})
    make_older(house.stores.artifacts.url, days=10)
    before = set(house.objects())
    assert house.run(1).step("rows").status == "completed"  # stored a second time, for what is there is not relied on
    added = set(house.objects()) - before
    assert len(added) == 2
    make_older(house.stores.artifacts.url, days=10, only=before)
    assert counts(house.collect()) == {"version": 4}
    assert added <= set(house.objects())
    house.run(3)
    assert house.engine.client.artifact("rows").version == 4


def make_older(url: str, *, days: float, only: Any = None) -> None:
    """Change the times that fsspec's file system in memory keeps."""
    from datetime import timedelta

    filesystem, base = fsspec.core.url_to_fs(url)
    for path, file in filesystem.store.items():
        if path.startswith(base) and (only is None or any(path.endswith(location) for location in only)):
            file.created -= timedelta(days=days)
            file.modified -= timedelta(days=days)
