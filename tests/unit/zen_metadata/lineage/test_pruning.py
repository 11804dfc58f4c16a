"""Removing the records of runs: what nothing needs goes with all that hangs on it, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.unit.zen_metadata.lineage.conftest import PROJECT, Story
from zen_core.contract.settings import Settings
from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import MetricRecord
from zen_metadata.lineage.sql import checking, pruning
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.tables import metadata
from zen_metadata.query.stores import ReadStores
from zen_metadata.query.words import PROJECTION_NAMES
from zen_metadata.retention.pruning import Pruned, prune

_YEAR = 365 * 86_400.0


class Old(Story):
    """A store whose runs are over a year old, and projected."""

    def __init__(self, story: Story, stores: ReadStores) -> None:
        super().__init__(story.store, story.url)
        self.stores = stores

    def finish(self, *runs: Any) -> None:
        """The runs are over, and it is long ago."""
        for run in runs:
            self.store.end_run(run.run_id, "completed")
        self.store.finish_outbox([row.outbox_id for row in self.store.pending_outbox()])
        self.make_older()

    def make_older(self, seconds: float = _YEAR) -> None:
        columns = {
            "runs": ("started_at", "ended_at"),
            "attempts": ("started_at", "heartbeat_at", "ended_at"),
            "outbox": ("created_at", "done_at"),
            **dict.fromkeys(("irs", "environments", "codes", "code_bundles", "artifacts"), ("created_at",)),
        }
        for name, times in columns.items():
            changes = ", ".join(f"{column} = {column} - {int(seconds * 1e6)}" for column in times)
            self.change(text(f"UPDATE zen_{name} SET {changes}"))

    def prune(self, *, delete: bool = True, **options: Any) -> Pruned:
        return prune(self.stores, older_than_seconds=_YEAR / 2, delete=delete, **options)

    def counts(self) -> dict[str, int]:
        """How many rows each table has that is not empty."""
        engine = make_engine(self.url)
        with engine.connect() as connection:
            found = {
                table.name.removeprefix("zen_"): connection.execute(select(func.count()).select_from(table)).scalar()
                for table in metadata.sorted_tables
            }
        engine.dispose()
        return {name: count for name, count in found.items() if count}

    def left(self) -> set[str]:
        return {run.run_id for run in self.store.find_runs()}


@pytest.fixture
def old(story: Story, tmp_path: Path) -> Iterator[Old]:
    settings = Settings(root=tmp_path, project=PROJECT).with_local_defaults()
    stores = ReadStores(replace(settings, lineage_url=story.url))
    yield Old(story, stores)
    stores.close()


def test_a_run_goes_with_all_that_hangs_on_it(old: Old) -> None:
    run = old.run()
    made = old.execute(run, "load")
    old.store.save_environment(PROJECT, "sha256:env", {"python": "3.11"})
    old.store.save_code(PROJECT, "sha256:f", {"text": "def f(): ..."})
    step_run = old.step_run(run, "score")
    attempt = old.attempt(step_run)
    metric = MetricRecord("loss", 0.5, None, run.started_at)  # type: ignore[arg-type]
    start = old.start(step_run, attempt)
    old.complete(run, step_run, attempt, start=start, outputs={}, metrics=(metric,), params={"a": 1})
    old.store.invalidate_cache_entries(PROJECT, ["key"])
    old.store.pin_artifact(run.run_id, "model", made.artifact_id)
    for projection in PROJECTION_NAMES:
        for subject in (run.run_id, step_run.step_run_id, attempt.attempt_id):
            old.store.save_link(projection, subject, f"shown {subject}")
    old.store.claim_once(f"hook {run.run_id} tell")
    old.store.apply_once(attempt.attempt_id, lambda: None)
    old.store.remember_file_digest("a.csv", "1", "sha256:a")
    log = f"logs/{run.run_id}/load/{attempt.attempt_id}.log"
    old.stores.artifacts.write_bytes(log, b"hello")
    old.delete(made)
    old.finish(run)
    before = old.counts()
    told = old.prune(delete=False)
    assert ([item.run_id for item in told.runs], told.deleted, old.counts()) == ([run.run_id], False, before)
    done = old.prune()
    assert done.to_json() == {
        "deleted": True,
        "older_than_seconds": _YEAR / 2,
        "runs": [{"run_id": run.run_id, "pipeline": "train", "started_at": done.runs[0].started_at.isoformat()}],
        "kept": {},
        "attempts": 2,
        "logs": 1,
        "documents": {"code_bundles": 1, "codes": 1, "environments": 1, "irs": 1},
    }
    # Versions are counted on, so that none is ever given twice.
    assert old.counts() == {"artifact_names": 1, "file_digests": 1}
    assert not old.stores.artifacts.exists(log)
    assert old.prune().runs == []
    again = old.execute(old.run(), "load")
    assert old.store.get_artifacts([again.artifact_id])[again.artifact_id].version == 2


def test_what_something_needs_stays_and_the_reason_is_told(old: Old) -> None:
    young = old.run()
    live, open_run, cached, waiting, plain = (old.run() for _ in range(5))
    old.execute(live, "fit")
    for run in (cached, plain):
        step_run = old.step_run(run, "tell")
        attempt = old.attempt(step_run, f"key of {run.run_id}")
        old.complete(run, step_run, attempt, start=old.start(step_run, attempt), outputs={})
    old.store.invalidate_cache_entries(PROJECT, [f"key of {plain.run_id}"])
    old.finish(live, cached, plain, waiting)
    old.change(
        text(f"UPDATE zen_runs SET started_at = started_at + {int(_YEAR * 1e6)} WHERE run_id = '{young.run_id}'")
    )
    step_run = old.step_run(open_run, "fit")
    old.start(step_run, old.attempt(step_run))
    old.change(text(f"UPDATE zen_outbox SET done_at = NULL WHERE run_id = '{waiting.run_id}'"))
    done = old.prune()
    assert [run.run_id for run in done.runs] == [plain.run_id]
    assert done.kept == {"live": 1, "cached": 1, "waiting": 1}
    assert old.left() == {run.run_id for run in (young, live, open_run, cached, waiting)}
    assert checking.check(old.url).problems == ()


def test_what_a_kept_run_was_made_from_stays(old: Old) -> None:
    first, second, third, alone = (old.run() for _ in range(4))
    loaded = old.execute(first, "load")
    split = old.execute(second, "split", reads=(loaded,))
    kept = old.execute(third, "fit", reads=(split,))
    unread = old.execute(alone, "load", reads=(split,))
    for artifact in (loaded, split, unread):
        old.delete(artifact)
    old.finish(first, second, third, alone)
    done = old.prune()
    assert [run.run_id for run in done.runs] == [alone.run_id]
    assert done.kept == {"live": 1, "lineage": 2}
    assert checking.check(old.url).problems == ()
    assert old.store.find_producers([kept.artifact_id])[kept.artifact_id] == (split.artifact_id,)
    old.delete(kept)
    assert len(old.prune().runs) == 3
    assert set(old.counts()) == {"artifact_names"}


def test_only_runs_of_the_pipelines_that_are_named_go(old: Old) -> None:
    train, score, foreign = old.run(), old.run(pipeline="score"), old.run(project="else")
    old.finish(train, score, foreign)
    assert [run.run_id for run in old.prune(pipelines=["score"]).runs] == [score.run_id]
    assert old.left() == {train.run_id, foreign.run_id}
    with pytest.raises(NotFoundError, match=r"no run of a pipeline 'trian'[\s\S]*did you mean 'train'"):
        old.prune(pipelines=["trian"])


def test_a_run_that_is_taken_up_again_meanwhile_stays(old: Old) -> None:
    run = old.run()
    step_run = old.step_run(run)
    first = old.attempt(step_run)
    old.complete(run, step_run, first, start=old.start(step_run, first), outputs={})
    old.store.invalidate_cache_entries(PROJECT, ["key"])
    old.finish(run)
    before = old.store.read_clock().replace(year=old.store.read_clock().year - 1, day=28)
    old.make_older()
    [found] = old.store.find_old_runs(PROJECT, before=before).runs
    old.start(step_run, old.attempt(step_run))
    assert old.store.delete_attempts(found.run_id, before=before) is None
    assert old.store.delete_run(found.run_id) is False
    assert old.state(step_run).attempts == 2


def test_a_removal_that_was_interrupted_is_finished_by_the_next(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_ATTEMPTS_AT_ONCE", 2)
    run = old.run()
    made = [old.execute(run, "load")]
    for number in range(4):
        made.append(old.execute(run, f"s{number}", reads=(made[-1],)))
    for artifact in made:
        old.delete(artifact)
    old.finish(run)
    before = old.store.read_clock()
    assert old.store.delete_attempts(run.run_id, before=before)
    assert checking.check(old.url).problems == (), "no edge leads nowhere in between"
    assert [item.run_id for item in old.prune().runs] == [run.run_id]
    assert set(old.counts()) == {"artifact_names"}
