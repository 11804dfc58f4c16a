"""Export and import: from any database to any, by the same document, as often as one likes."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from tests.unit.zen_metadata.lineage.conftest import DATABASES, PROJECT, Story
from zen_core.errors import ExportError, NotFoundError, StoreError
from zen_metadata.lineage.records import ErrorRecord, MetricRecord
from zen_metadata.lineage.sql import checking, open_lineage_store
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.tables import metadata, outbox
from zen_metadata.transfer.document import LEFT_OUT, TABLES
from zen_metadata.transfer.exporting import export_store
from zen_metadata.transfer.importing import import_store
from zen_metadata.transfer.selecting import Selection

ALL = Selection(None)


def export(url: str, path: Path, selection: Selection = ALL) -> bytes:
    export_store(url, path, selection)
    return path.read_bytes()


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(data).splitlines()]


def rows_of(data: bytes, table: str) -> list[Any]:
    return [line[table] for line in lines(data) if table in line]


def written(path: Path, documents: list[Any]) -> Path:
    """A document with these lines and a checksum that fits."""
    import hashlib

    body = "".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents[:-1]).encode()
    end = {"end": {**documents[-1]["end"], "sha256": hashlib.sha256(body).hexdigest()}}
    path.write_bytes(gzip.compress(body + json.dumps(end, separators=(",", ":")).encode() + b"\n"))
    return path


@pytest.fixture
def other(store_url: str, tmp_path: Path) -> str:
    """The address of another store without records, on another database where there is one."""
    (tmp_path / "other").mkdir()
    own = "postgresql" if store_url.startswith("postgresql") else "sqlite"
    return DATABASES[next((name for name in DATABASES if name != own), own)](tmp_path / "other")


@pytest.fixture
def full(story: Story) -> Story:
    """A store with something in each table."""
    run = story.run(parameters={"depth": 4, "name": "ü"}, tags=("a",))
    loaded = story.execute(run, "load")
    made = story.execute(run, "fit", reads=(loaded,), digest="sha256:2")
    story.store.save_environment(PROJECT, "sha256:env", {"python": "3.11", "none": None})
    story.store.save_code(PROJECT, "sha256:f", {"text": "def f(): ..."})
    story.store.save_left_out(PROJECT, "sha256:code", [{"file": "a", "reason": "b"}])
    failing = story.step_run(run, "score", 3)
    attempt = story.attempt(failing, "key-1")
    story.start(failing, attempt)
    values = (0.5, float("inf"), float("nan"))
    metrics = tuple(MetricRecord("loss", value, step, datetime.now(UTC)) for step, value in enumerate(values))
    error = ErrorRecord("ValueError", "bad \x00 luck\ud800", "Traceback")
    story.end(run, failing, attempt, "failed", error=error, metrics=metrics, params={"a": [1, None]})
    story.store.pin_artifact(run.run_id, "model", made.artifact_id)
    story.store.save_link("mlflow", run.run_id, "m1")
    story.store.claim_once(f"hook {run.run_id} tell")
    story.store.roll_back(PROJECT, "train", "fit", 1, by="ana", reason="better")
    story.store.end_run(run.run_id, "failed")
    return story


def test_every_table_is_carried_over_or_left_out_on_purpose() -> None:
    known = {table.name.removeprefix("zen_") for table in metadata.sorted_tables}
    assert known == {*TABLES, *LEFT_OUT}
    assert not LEFT_OUT & {*TABLES}
    place = {f"zen_{name}": index for index, name in enumerate(TABLES)}
    for name in TABLES:
        for key in metadata.tables[f"zen_{name}"].foreign_keys:
            assert place[key.column.table.name] < place[f"zen_{name}"], "what is referred to comes first"


def test_an_import_gives_the_same_export_and_the_same_lineage(full: Story, other: str, tmp_path: Path) -> None:
    first = export(full.url, tmp_path / "a.gz")
    assert {table for line in lines(first)[1:-1] for table in line} == {*TABLES}
    done = import_store(other, tmp_path / "a.gz")
    assert done.rows == done.changed == lines(first)[-1]["end"]["rows"]
    assert export(other, tmp_path / "b.gz") == first
    again = import_store(other, tmp_path / "a.gz")
    assert (again.rows, again.changed) == (done.rows, {})
    assert export(other, tmp_path / "b.gz") == first
    assert checking.check(other).problems == ()
    store = open_lineage_store(other)
    assert store.find_runs() == full.store.find_runs()
    [run] = store.find_runs()
    states = [[*source.get_step_runs(run.run_id)] for source in (store, full.store)]
    assert repr(states[0]) == repr(states[1])  # NaN is not equal to itself
    assert store.find_version(PROJECT, "train", "fit", None) == full.store.find_version(PROJECT, "train", "fit", None)
    assert store.find_pins(run.run_id, ["model"]) == full.store.find_pins(run.run_id, ["model"])
    assert [row.event for row in store.pending_outbox()] == [row.event for row in full.store.pending_outbox()]
    store.close()


def test_what_comes_after_an_import_goes_on_from_it(full: Story, other: str, tmp_path: Path) -> None:
    export(full.url, tmp_path / "a.gz")
    import_store(other, tmp_path / "a.gz")
    story = Story(open_lineage_store(other), other)
    made = story.execute(story.run(), "fit")
    assert story.store.get_artifacts([made.artifact_id])[made.artifact_id].version == 2
    # What is only there stays, and what the first store has since comes along.
    later = full.run()
    full.execute(later, "other")
    export(full.url, tmp_path / "a.gz")
    changed = import_store(other, tmp_path / "a.gz").changed
    assert changed["runs"] == 1
    assert changed["attempts"] == 1
    assert len(story.store.find_runs()) == 3
    story.store.close()


def test_what_went_on_is_brought_forward_and_never_back(story: Story, other: str, tmp_path: Path) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    start = story.start(step_run, attempt)
    early = export(story.url, tmp_path / "early.gz")
    import_store(other, tmp_path / "early.gz")
    artifact = story.artifact()
    story.complete(run, step_run, attempt, start=start, outputs={"result": artifact})
    story.store.end_run(run.run_id, "completed")
    story.delete(artifact)
    late = export(story.url, tmp_path / "late.gz")
    assert early != late
    import_store(other, tmp_path / "late.gz")
    assert export(other, tmp_path / "b.gz") == late
    assert import_store(other, tmp_path / "early.gz").changed == {}
    assert export(other, tmp_path / "b.gz") == late


def test_a_fact_that_was_projected_is_not_projected_again(full: Story, other: str, tmp_path: Path) -> None:
    export(full.url, tmp_path / "a.gz")
    import_store(other, tmp_path / "a.gz")
    store = open_lineage_store(other)
    store.finish_outbox([row.outbox_id for row in store.pending_outbox()])
    import_store(other, tmp_path / "a.gz")
    assert store.pending_outbox() == []
    store.close()


def test_a_selection_brings_along_what_it_was_made_from(story: Story, other: str, tmp_path: Path) -> None:
    first, second, third = (story.run(pipeline=name) for name in ("prepare", "train", "else"))
    loaded = story.execute(first, "load", pipeline="prepare")
    story.execute(second, "fit", reads=(loaded,))
    story.execute(third, "score", pipeline="else")
    data = export(story.url, tmp_path / "a.gz", Selection((PROJECT,), ("train",)))
    assert {row["pipeline"] for row in rows_of(data, "runs")} == {"prepare", "train"}
    assert {row["name"] for row in rows_of(data, "artifacts")} == {"load", "fit"}
    assert {row["name"] for row in rows_of(data, "artifact_names")} == {"load", "fit"}
    assert len(rows_of(data, "irs")) == 1
    import_store(other, tmp_path / "a.gz")
    assert checking.check(other).problems == ()
    assert export(other, tmp_path / "b.gz", Selection((PROJECT,), ("train",))) == data


def test_a_selection_by_project_and_by_time(story: Story, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old = story.run(started_at=now - timedelta(days=9))
    new = story.run(started_at=now)
    foreign = story.run(project="else")
    path = tmp_path / "a.gz"
    assert {row["run_id"] for row in rows_of(export(story.url, path, Selection((PROJECT,))), "runs")} == {
        old.run_id,
        new.run_id,
    }
    since = Selection((PROJECT,), since=now - timedelta(days=1))
    data = export(story.url, path, since)
    assert [row["run_id"] for row in rows_of(data, "runs")] == [new.run_id]
    assert lines(data)[0]["selection"]["since"] == since.since.isoformat()  # type: ignore[union-attr]
    assert len(rows_of(export(story.url, path), "runs")) == 3
    assert foreign.run_id in {row["run_id"] for row in rows_of(export(story.url, path), "runs")}
    before = path.read_bytes()
    with pytest.raises(NotFoundError, match=r"nothing to export: project nobody[\s\S]*--all-projects"):
        export(story.url, path, Selection(("nobody",)))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if "gz" in file.name] == ["a.gz"], "nothing is left behind"


def test_two_stores_that_went_on_by_themselves_are_not_mixed(full: Story, other: str, tmp_path: Path) -> None:
    story = Story(open_lineage_store(other), other)
    mine = story.execute(story.run(), "fit")
    before = export(other, tmp_path / "before.gz")
    export(full.url, tmp_path / "a.gz")
    with pytest.raises(ExportError, match=r"1 rows of .*a\.gz are something else in the store") as caught:
        import_store(other, tmp_path / "a.gz")
    assert "shop/train/fit@1 is another artifact" in caught.value.diagnostics[0].why
    assert "Nothing was imported" in caught.value.diagnostics[0].hint
    assert export(other, tmp_path / "after.gz") == before
    assert story.store.get_artifacts([mine.artifact_id])
    story.store.close()


def _change(position: int, change: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    def apply(documents: list[Any]) -> list[Any]:
        documents[position] = change(documents[position])
        return documents

    return apply


def _row(table: str, **values: Any) -> Callable[[list[Any]], list[Any]]:
    def apply(documents: list[Any]) -> list[Any]:
        line = next(line for line in documents if table in line)
        line[table] = {name: value for name, value in {**line[table], **values}.items() if value != "leave out"}
        return documents

    return apply


_WRONG: list[tuple[Callable[[list[Any]], list[Any]], str]] = [
    (
        _change(0, lambda header: {**header, "zen_export": 2}),
        "an export of version 2, and this Zen reads version 1",
    ),
    (_change(0, lambda header: {"zen_spool": 1}), "its first line does not say zen_export"),
    (_row("runs", project="leave out"), "a row of runs has no project"),
    (_row("runs", project=7), "a row of runs has 7 as its project"),
    (_row("runs", project="\x00"), "a row of runs has '.x00' as its project"),
    (_row("runs", project="\ud800"), "a row of runs .*surrogates not allowed"),
    (_row("runs", started_at=2.5), "a row of runs has 2.5 as its started_at"),
    (_row("runs", started_at=2**63), "as its started_at"),
    (_row("runs", parameters="{"), "a row of runs Expecting"),
    (_row("runs", mine=1), "a row of runs has columns that this version does not know: mine"),
    (_row("attempts", cache_enabled=1), "a row of attempts has 1 as its cache_enabled"),
    (_row("metrics", value="much"), "a row of metrics has 'much' as its value"),
    (_row("step_runs", map_index=2**31), "as its map_index"),
    (lambda documents: [*documents[:1], {"wonders": {}}, *documents[1:]], "rows of 'wonders'"),
    (
        lambda documents: [documents[0], *documents[2:], documents[1]][:-2] + documents[1:2] + documents[-1:],
        "come after",
    ),
    (lambda documents: [*documents[:-1], [1], documents[-1]], "not an object with one key"),
    (_change(-1, lambda end: {"end": {"rows": {"runs": 9}}}), "not have as many rows as it says"),
]


def test_every_line_is_checked_before_anything_is_written(full: Story, other: str, tmp_path: Path) -> None:
    data = export(full.url, tmp_path / "a.gz")
    for change, message in _WRONG:
        path = written(tmp_path / "b.gz", change(lines(data)))
        with pytest.raises(ExportError, match=message):
            import_store(other, path)
    store = open_lineage_store(other)
    assert store.find_runs() == []
    store.close()


def test_damage_is_told(full: Story, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/new.db"
    data = export(full.url, tmp_path / "a.gz")
    path = tmp_path / "b.gz"
    plain = gzip.decompress(data)
    for damaged, message in (
        (data[: len(data) // 2], "cut short or damaged"),
        (data[:-9], "cut short or damaged"),
        (plain[: plain.rindex(b"\n", 0, -1) + 1], "it is cut short"),
        (plain.replace(b"better", b"bitter"), "its checksum does not fit"),
        (plain + b"\n", "something follows its last line"),
        (b"", "it is not one"),
        (b"PK\x03\x04\n", "a line is not JSON"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ExportError, match=message):
            import_store(target, path)
    path.write_bytes(plain)  # unpacked by hand is fine
    assert import_store(target, path).changed["runs"] == 1
    with pytest.raises(StoreError, match=r"nowhere\.gz cannot be read"):
        import_store(target, tmp_path / "nowhere.gz")
    with pytest.raises(StoreError, match=r"the export .* cannot be written"):
        export(full.url, tmp_path / "no" / "folder.gz")


def test_an_interrupted_import_is_done_again(full: Story, other: str, tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    full.execute(full.run(), "fit")
    data = export(full.url, tmp_path / "a.gz")

    def interrupt(phase: str, position: int) -> None:
        if phase == "importing":
            raise Interrupted

    with pytest.raises(Interrupted):
        import_store(other, tmp_path / "a.gz", interrupt)
    assert export(other, tmp_path / "b.gz") != data
    assert checking.check(other).problems == ()
    assert import_store(other, tmp_path / "a.gz").changed.keys() == {"outbox"}, "all was written but for the last batch"
    assert export(other, tmp_path / "b.gz") == data


def test_an_export_is_one_moment(story: Story, tmp_path: Path) -> None:
    run = story.run()
    story.execute(run, "load")
    before = export(story.url, tmp_path / "a.gz")

    def write(table: str, count: int) -> None:
        story.run()

    export_store(story.url, tmp_path / "b.gz", ALL, write)
    assert (tmp_path / "b.gz").read_bytes() == before
    assert export(story.url, tmp_path / "c.gz") != before


def test_nothing_of_the_moment_is_carried_over(story: Story, other: str, tmp_path: Path) -> None:
    run = story.run()
    step_run = story.step_run(run)
    story.start(step_run, story.attempt(step_run))
    story.store.remember_file_digest("a.csv", "1", "sha256:a")
    story.store.claim_link("mlflow", run.run_id, claimant="me")
    data = export(story.url, tmp_path / "a.gz")
    assert {table for line in lines(data)[1:-1] for table in line} == {
        *("irs", "code_bundles", "runs", "step_runs", "attempts")
    }
    import_store(other, tmp_path / "a.gz")
    assert export(other, tmp_path / "b.gz") == data


def test_a_row_of_the_outbox_counts_by_itself(full: Story, other: str, tmp_path: Path) -> None:
    full.change(update(outbox).where(outbox.c.event == "run_ended").values(tries=3, last_error="away"))
    data = export(full.url, tmp_path / "a.gz")
    import_store(other, tmp_path / "a.gz")
    assert all("outbox_id" not in row for row in rows_of(data, "outbox"))
    engine = make_engine(other)
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(outbox)).scalar()
        assert connection.execute(text("SELECT max(tries) FROM zen_outbox")).scalar() == 3
    engine.dispose()
    assert count == len(rows_of(data, "outbox"))


def test_rows_are_in_the_order_of_their_code_points(story: Story, tmp_path: Path) -> None:
    run = story.run()
    for name in ("b", "A", "ä", "Z", "a_1", "a-1"):
        story.execute(run, name)
    names = [row["name"] for row in rows_of(export(story.url, tmp_path / "a.gz"), "artifact_names")]
    assert names == sorted(names)


def test_a_run_without_its_first_event_comes_along(story: Story, other: str, tmp_path: Path) -> None:
    run = story.run()
    story.execute(run, "load")
    story.change(text("DELETE FROM zen_runs"))
    data = export(story.url, tmp_path / "a.gz", Selection((PROJECT,)))
    assert len(rows_of(data, "step_runs")) == 1
    import_store(other, tmp_path / "a.gz")
    story.store.open_run(replace(run), {})
    assert export(other, tmp_path / "b.gz", Selection((PROJECT,))) == data
