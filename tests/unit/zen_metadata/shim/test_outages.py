"""What a process says and does while the lineage store is away, and what is kept of texts that no database takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zen_core.contract.settings import Settings
from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.cli.run_page import print_run
from zen_metadata.doctor import examine
from zen_metadata.shim.boundary import error_record
from zen_metadata.shim.closing import close_run
from zen_metadata.shim.workspace import Workspace, open_workspace

NOWHERE = "postgresql://zen:hunter22@127.0.0.1:1/zen"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    local = Settings(root=tmp_path, project="demo").with_local_defaults()
    return replace(local, lineage_url=NOWHERE, mlflow_tracking_uri="")


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    opened = open_workspace(settings, remote=False)
    yield opened
    opened.close()


def test_an_outage_is_told_once_with_what_happens_and_what_to_do(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    for _ in range(3):
        workspace.ask(lambda lineage: lineage.find_runs(), None, though_away=True)
    (told,) = [record for record in caplog.records if record.name == "zen"]
    assert told.levelno == logging.WARNING
    text = told.getMessage()
    for part in ("is away", f"below {settings.artifact_url}/spool", "Steps go on", "`zen sync`", "To do: check that"):
        assert part in text
    assert "hunter22" not in text
    workspace.note_away(StoreUnavailableError("another thing", why="of another cause", hint="do that"))
    workspace.note_away(StoreUnavailableError("another thing", why="of another cause", hint="do that"))
    assert len([record for record in caplog.records if record.name == "zen"]) == 2


def test_where_neither_store_takes_a_fact_one_error_names_both(workspace: Workspace, settings: Settings) -> None:
    def refuse() -> None:
        raise StoreError("cannot write: not allowed", where="/spool/events/x.json", hint="give this user the right")

    workspace.ask(lambda lineage: lineage.find_runs(), None)
    with pytest.raises(StoreUnavailableError) as caught:
        workspace._spool(refuse)
    problem = caught.value.diagnostics[0]
    assert problem.message == "what the step did can be recorded nowhere: both stores are out of reach"
    assert "127.0.0.1:1/zen cannot be used at present" in problem.why
    assert "/spool/events/x.json: cannot write: not allowed" in problem.why
    assert problem.hint.endswith("give this user the right")


def test_what_no_database_takes_of_an_exception_is_replaced() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    record = error_record(ValueError("a\0b\udcffc"), lambda text: text)
    assert record.message == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    record.traceback.encode()
    assert error_record(Mute(), lambda text: text).message == "<Mute, which cannot be shown as text>"


def test_spooled_facts_are_shown_by_show_and_doctor_until_they_are_recorded(
    engine, make_code, capsys: pytest.CaptureFixture[str]
) -> None:
    def double(x: int) -> int:
        return 2 * x

    step = make_code("double", double)
    fail = make_code("fail", double)
    engine.run(fail, close=False)
    recorded = engine.workspace
    engine.workspace = open_workspace(replace(engine.settings, lineage_url=NOWHERE), remote=False)
    engine.start("fail")
    assert close_run(engine.workspace, engine.record, engine.manifest, pass_output=False) is None
    engine.workspace.close()
    engine.workspace = recorded
    assert step is not None
    assert engine.shown.spooled == 2
    assert engine.shown.to_json()["spooled"] == 2
    print_run(engine.shown)
    assert "2 facts of this run wait in the spool and are not shown: zen sync" in capsys.readouterr().out
    (check,) = [check for check in examine(engine.settings, ()) if check.component == "spool"]
    assert "2 waiting, the oldest for" in check.detail
    assert check.is_warning
    assert check.problem is not None
    assert check.problem.hint == "zen sync"
    engine.close()
    assert engine.shown.spooled == 0
    assert "spooled" not in engine.shown.to_json()
    (check,) = [check for check in examine(engine.settings, ()) if check.component == "spool"]
    assert (check.problem, "empty" in check.detail) == (None, True)


def test_a_step_that_began_before_the_store_was_back_took_as_long_as_it_took(engine, make_code) -> None:
    recorded = engine.workspace
    engine.workspace = open_workspace(replace(engine.settings, lineage_url=NOWHERE), remote=False)

    def work() -> int:
        time.sleep(0.2)
        engine.workspace._lineage = recorded.lineage  # what the address names by now
        engine.workspace._outage.end()
        return 2

    engine.run(make_code("work", work), close=False)
    engine.workspace = recorded
    (step,) = engine.shown.states
    assert step.status == "completed"
    assert step.ended_at is not None
    assert (step.ended_at - step.started_at).total_seconds() >= 0.2
    assert engine.shown.record.started_at <= step.started_at
