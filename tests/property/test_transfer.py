"""What holds of exports for any history: written, read and written again they are the same bytes."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_core.contract.identity import step_run_id
from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    ErrorRecord,
    InputRecord,
    MetricRecord,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.retention import Tombstone
from zen_metadata.lineage.sql import checking, open_lineage_store
from zen_metadata.lineage.sql.store import SqlLineageStore
from zen_metadata.transfer.exporting import export_store
from zen_metadata.transfer.importing import import_store
from zen_metadata.transfer.selecting import Selection

START = datetime(2026, 1, 1, tzinfo=UTC)
any_text = st.text(st.characters(exclude_categories=()), max_size=8)
step = st.fixed_dictionaries(
    {
        "run": st.integers(0, 2),
        "name": st.sampled_from(["load", "fit", "Z", "ä"]),
        "index": st.none() | st.integers(0, 2),
        "reads": st.lists(st.integers(0, 9), max_size=2),
        "status": st.sampled_from(["completed", "failed", "skipped", "running"]),
        "value": st.floats() | st.integers(-(2**40), 2**40) | any_text,
        "text": any_text,
        "lease": st.booleans(),
        "after": st.sampled_from(["", "", "delete", "roll back", "close", "invalidate", "pin"]),
    }
)


def play(store: SqlLineageStore, history: list[dict]) -> None:  # type: ignore[type-arg]
    """Let a history happen."""
    made: list[ArtifactRecord] = []
    for number, item in enumerate(history):
        project = "p" if item["run"] < 2 else "q"
        run_id = f"6a3a7d8e-0000-4000-8000-00000000000{item['run']}"
        began = START + timedelta(days=item["run"])
        run = RunRecord(
            run_id,
            project,
            "train",
            "d",
            "local",
            str(item["run"]),
            "ir",
            "code",
            "v",
            {"x": item["text"]},
            started_at=began,
        )
        store.open_run(run, {"text": item["text"]})
        step_run = StepRunRecord(
            step_run_id(run_id, item["name"], item["index"]), project, run_id, item["name"], item["index"]
        )
        attempt_id = f"{number:08d}-0000-4000-8000-000000000000"
        attempt = AttemptRecord(
            attempt_id, step_run.step_run_id, project, "ir", "code", "f", True, f"key-{item['name']}", {"a": "b"}, "env"
        )
        start = store.start_attempt(step_run, attempt, lease=item["lease"], look_up=False)
        if item["status"] == "running" or start.holder is not None:
            continue
        value = item["value"]
        output = ArtifactRecord(
            f"artifact-{number}",
            project,
            "train",
            item["name"],
            f"sha256:{value!r:.5}",
            "s",
            "T",
            "json",
            1,
            f"objects/{number}",
            3,
            has_inline_value=True,
            inline_value=None if isinstance(value, float) else value,
        )
        end = AttemptEnd(
            attempt_id,
            step_run.step_run_id,
            item["status"],
            inputs=tuple(
                InputRecord(f"x{place}", "d", artifact_id=made[read % len(made)].artifact_id)
                for place, read in enumerate(item["reads"])
                if made
            ),
            outputs={"result": output} if item["status"] == "completed" else {},
            metrics=(MetricRecord(item["text"], value, None, began),) if isinstance(value, float) else (),
            params={item["text"]: value} if not isinstance(value, float) else {},
            error=ErrorRecord("E", item["text"], item["text"]) if item["status"] == "failed" else None,
            lease=start.lease,
        )
        done = store.end_attempt(run, step_run, attempt, end)
        if done.versions:
            made.append(output)
        if item["after"] == "delete" and done.versions:
            store.bury(
                [output.artifact_id],
                Tombstone("me", item["text"].encode("ascii", "replace").decode().replace("\0", "")),
            )
        elif item["after"] == "roll back" and done.versions:
            store.roll_back(project, "train", item["name"], done.versions["result"], by="me", reason="r")
        elif item["after"] == "close":
            store.end_run(run_id, "completed", began)
        elif item["after"] == "invalidate":
            store.invalidate_cache_entries(project, [f"key-{item['name']}"])
        elif item["after"] == "pin" and made:
            store.pin_artifact(run_id, item["name"], made[-1].artifact_id)


selections = st.sampled_from(
    [
        Selection(None),
        Selection(("p",)),
        Selection(("p", "q"), ("train",)),
        Selection(("p",), since=START + timedelta(1)),
    ]
)


def is_chosen(item: dict, selection: Selection) -> bool:  # type: ignore[type-arg]
    """Whether the run of an item is among those that a selection names."""
    project, began = "p" if item["run"] < 2 else "q", START + timedelta(days=item["run"])
    is_named = selection.projects is None or project in selection.projects
    return is_named and (selection.since is None or began >= selection.since)


@given(history=st.lists(step, min_size=1, max_size=10), selection=selections)
def test_an_import_gives_the_same_export(history: list[dict], selection: Selection) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        first, second = (f"sqlite:///{folder}/{name}.db" for name in "ab")
        store = open_lineage_store(first)
        play(store, history)
        store.close()
        path, again = Path(folder) / "a.gz", Path(folder) / "b.gz"
        if not any(is_chosen(item, selection) for item in history):
            with pytest.raises(NotFoundError, match="there is nothing to export"):
                export_store(first, path, selection)
            return
        export_store(first, path, selection)
        done = import_store(second, path)
        assert done.changed == done.rows
        export_store(second, again, selection)
        assert again.read_bytes() == path.read_bytes()
        export_store(second, again, Selection(None))
        everything = again.read_bytes()
        assert import_store(second, path).changed == {}
        assert import_store(first, path).changed == {}
        export_store(second, again, Selection(None))
        assert again.read_bytes() == everything
        assert checking.check(second).problems == ()
