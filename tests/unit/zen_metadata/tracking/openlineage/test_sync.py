"""Sending: nothing lost and nothing out of order, whatever the receiver does; nothing at all where none is set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from zen_core.contract.settings import Settings
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.tracking.openlineage.sync import sync
from zen_metadata.tracking.openlineage.target import find_obstacle


@pytest.fixture
def sent(new_run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, receiver: Any) -> Any:
    """A run of two steps, recorded for OpenLineage; answers with the settings that send to the receiver."""
    return _record(new_run, settings, monkeypatch, receiver.url)


def _record(
    new_run: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    act: Callable[[Any], object] = lambda run: run.do_all(),
) -> Settings:
    for name in ("OPENLINEAGE_CONFIG", "OPENLINEAGE_DISABLED", "OPENLINEAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    with closing(open_lineage_store(settings.lineage_url, openlineage=True)) as store:
        run = new_run()
        run.store = store
        act(run)
    return _settings_for(settings, url)


def _settings_for(settings: Settings, url: str) -> Settings:
    return replace(settings, openlineage_url=url, openlineage=True)


def _told(receiver: Any) -> list[tuple[str, str]]:
    return [(event["eventType"], event["job"]["name"]) for event in receiver.events]


WHOLE = [
    ("START", "training"),
    ("START", "training.load"),
    ("COMPLETE", "training.load"),
    ("START", "training.train"),
    ("COMPLETE", "training.train"),
    ("COMPLETE", "training"),
]


def test_everything_is_sent_once(sent: Settings, receiver: Any) -> None:
    report = sync(sent)
    assert (report.projected, report.pending, report.failed, report.error) == (3, 0, 0, "")
    assert _told(receiver) == WHOLE
    again = sync(sent)
    assert (again.projected, again.error) == (0, "")
    assert len(receiver.events) == len(WHOLE)


def test_a_receiver_that_is_down_loses_nothing(sent: Settings, receiver: Any) -> None:
    url = sent.openlineage_url
    receiver.close()
    down = sync(sent)
    assert (down.projected, down.pending) == (0, 3)
    assert "ZEN-T110" in down.error
    assert url in down.error
    with closing(open_lineage_store(sent.lineage_url)) as store:
        lag = store.outbox_lag(sent.project)["openlineage"]
    assert (lag.pending, lag.refused) == (3, 0)
    assert "ConnectionError" in lag.last_error


def test_a_busy_receiver_is_given_a_moment(sent: Settings, receiver: Any) -> None:
    receiver.answers = [201, 429, 201, 503]
    assert sync(sent).error == ""
    assert _told(receiver) == WHOLE


def test_what_was_sent_before_a_failure_is_not_sent_again(sent: Settings, receiver: Any) -> None:
    receiver.answers = [201, 201, 201, 401]
    failed = sync(sent)
    assert (failed.projected, failed.pending) == (1, 2)
    assert "401" in failed.error
    assert sync(sent).error == ""
    assert _told(receiver) == WHOLE


def test_a_refused_event_holds_up_no_other(sent: Settings, receiver: Any) -> None:
    receiver.refuses = '"name": "training.load"'
    report = sync(sent)
    assert (report.projected, report.pending, report.failed) == (2, 1, 1)
    assert "ZEN-T111" in report.error
    assert "refuses the START event of training.load" in report.error
    assert "not now" in report.error
    assert _told(receiver) == [entry for entry in WHOLE if entry[1] != "training.load"]
    receiver.refuses = ""
    receiver.forget()
    assert sync(sent).error == ""
    assert _told(receiver) == [WHOLE[1], WHOLE[2], WHOLE[5]]


def test_a_receiver_that_hangs_is_left_alone_after_one_call(
    sent: Settings, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = {"type": "http", "url": receiver.url, "timeout": 0.2, "retry": {"total": 0}}
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(transport))
    receiver.answers = [0]
    began = time.monotonic()
    report = sync(sent)
    assert time.monotonic() - began < 5
    assert (report.projected, report.pending) == (0, 3)
    assert "timed out" in report.error
    receiver.hold.set()
    assert sync(sent).error == ""
    assert _told(receiver) == WHOLE


def test_events_go_to_a_file(new_run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = _record(new_run, settings, monkeypatch, f"file://{tmp_path}/events.jsonl")
    assert sync(chosen).error == ""
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(event["eventType"], event["job"]["name"]) for event in events] == WHOLE


def test_a_file_that_cannot_be_written_loses_nothing(
    new_run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = _record(new_run, settings, monkeypatch, f"file://{tmp_path}/none/events.jsonl")
    report = sync(chosen)
    assert report.pending == 3
    assert "No such file" in report.error
    (tmp_path / "none").mkdir()
    assert sync(chosen).pending == 0


def test_the_clients_own_configuration_comes_first(
    sent: Settings, receiver: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "openlineage.yml"
    config.write_text(f"transport:\n  type: file\n  log_file_path: {tmp_path}/own.jsonl\n  append: true\n")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(config))
    assert sync(sent).error == ""
    assert receiver.bodies == []
    assert len((tmp_path / "own.jsonl").read_text().splitlines()) == len(WHOLE)


def test_the_api_key_is_sent_and_nothing_is_left_in_the_environment(
    sent: Settings, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "k3y-of-the-shop")
    before = dict(os.environ)
    assert sync(sent).error == ""
    assert dict(os.environ) == before
    assert {headers["Authorization"] for headers in receiver.headers} == {"Bearer k3y-of-the-shop"}
    assert b"k3y-of-the-shop" not in b"".join(receiver.bodies)


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ('{"type": "async_http", "url": "http://127.0.0.1:9"}', "does not say whether an event arrived"),
        ('{"type": "pigeon"}', "the OpenLineage client is not set up"),
    ],
)
def test_a_transport_that_is_no_use_is_said(
    sent: Settings, monkeypatch: pytest.MonkeyPatch, transport: str, said: str
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", transport)
    report = sync(sent)
    assert report.pending == 3
    assert said in report.error


def test_a_configuration_without_transport_prints_nothing_and_says_so(
    new_run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chosen = _record(new_run, settings, monkeypatch, "")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "none.yml"))
    assert "its configuration names no transport" in sync(chosen).error
    assert capfd.readouterr().out == ""


def test_only_the_run_that_is_asked_for(sent: Settings, receiver: Any, new_run: Any) -> None:
    assert sync(sent, run_id="5f3b1f1e-0000-0000-0000-000000000000").pending == 0
    assert receiver.bodies == []


def test_a_target_that_is_not_set_is_said() -> None:
    assert (
        find_obstacle(Settings())
        == "no OpenLineage target is set: give OPENLINEAGE_URL, or openlineage_url in zen.toml"
    )


def test_a_run_that_was_stopped_is_aborted(
    new_run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, receiver: Any, specification: Any
) -> None:
    chosen = _record(new_run, settings, monkeypatch, receiver.url, _stop)
    assert sync(chosen).error == ""
    assert [specification.problems(event["schemaURL"], event) for event in receiver.events] == [[]] * 6
    assert _told(receiver) == [
        *WHOLE[:4],
        ("ABORT", "training.train"),
        ("ABORT", "training"),
    ]


def _stop(run: Any) -> None:
    run.do("load")
    run.do("train", "cancelled")
    run.close("cancelled")


def test_a_run_that_goes_on_is_told_of_bit_by_bit(
    new_run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, receiver: Any
) -> None:
    told = []

    def go_on(run: Any) -> None:
        for act in (
            lambda: run.do("load"),
            lambda: run.do("train", "failed", error="out of memory"),
            lambda: run.close("failed"),
            lambda: run.do("train"),  # somebody ran it again
        ):
            act()
            sync(_settings_for(settings, receiver.url))
            told.append(_told(receiver))
            receiver.forget()

    _record(new_run, settings, monkeypatch, receiver.url, go_on)
    assert told == [
        WHOLE[:3],
        [("START", "training.train"), ("FAIL", "training.train")],
        [("FAIL", "training")],
        WHOLE[3:],
    ]


# -- what it costs ------------------------------------------------------------------------------------------------


def test_the_second_row_costs_no_statement(new_run: Any, settings: Settings) -> None:
    statements: list[str] = []

    def listen(connection: Any, _: Any) -> None:
        connection.set_trace_callback(statements.append)

    counts = []
    event.listen(Engine, "connect", listen)
    try:
        for key, openlineage in (("0", False), ("1", False), ("2", True)):  # the first one finds an empty store
            run = new_run(key=key)
            with closing(open_lineage_store(settings.lineage_url, openlineage=openlineage)) as store:
                store.read_clock()
                store.get_ir("none", "none")
                run.store = store
                statements.clear()
                run.do_all()
                counts.append([statement.split(" ", 3)[:3] for statement in statements])
    finally:
        event.remove(Engine, "connect", listen)
    assert counts[1] == counts[2]
    with closing(open_lineage_store(settings.lineage_url)) as store:
        lag = store.outbox_lag(settings.project)
    assert (lag["mlflow"].pending, lag["openlineage"].pending) == (9, 3)


def test_whoever_sets_nothing_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text('project = "plain"\nmlflow_sync = "off"\n')
    (tmp_path / "flow.py").write_text(
        textwrap.dedent("""
        from zen_core import pipeline, step

        @step
        def one() -> int:
            return 1

        @pipeline
        def flow():
            one()
        """)
    )
    program = textwrap.dedent("""
        import sqlite3, sys
        from click.testing import CliRunner
        from zen_core.cli.main import zen
        result = CliRunner().invoke(zen, ["run", "flow.py:flow"])
        assert result.exit_code == 0, result.output
        loaded = [name for name in sys.modules if "openlineage" in name]
        assert not loaded, loaded
        print(sqlite3.connect(".zen/zen.db").execute("select distinct projection from zen_outbox").fetchall())
    """)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENLINEAGE")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[('mlflow',)]"), done.stderr
