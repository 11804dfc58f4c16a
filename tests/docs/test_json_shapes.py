"""What docs/reference/json.md promises of `--json` is what the commands print."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zen_core.cli.main import zen

ROOT = Path(__file__).parents[2]
PIPELINE = """
from zen_core import File, log_metric, log_params, pipeline, step


@step
def read(data: File) -> str:
    print("reading")
    return data.path.read_text()


@step
def count(text: str, other: list[str]) -> int:
    log_metric("characters", len(text))
    log_params({"unit": "character"})
    return len(text)


@step
def fail(number: int) -> int:
    raise ValueError("too small")


@pipeline
def shapes(data: File = File("data.txt")):
    text = read(data)
    fail(count(text, [text, "more"]))
"""
RUN_KEYS = {"run_id", "pipeline", "project", "orchestrator", "deployment", "status", "ir_digest", "parameters"} | {
    "started_at",
    "ended_at",
    "steps",
}
STEP_KEYS = {"name", "map_index", "status", "attempts", "cache_key", "reused_from", "inputs", "outputs", "metrics"} | {
    "environment_digest",
    "mlflow_run_id",
}

Ask = Callable[..., Any]
MODULE = "json_shapes_example"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ask]:
    """Run a command in a small project, and read what it prints as JSON."""
    (tmp_path / "zen.toml").write_text('project = "json"\nmlflow_sync = "off"\n', encoding="utf-8")
    (tmp_path / "data.txt").write_text("four", encoding="utf-8")
    (tmp_path / f"{MODULE}.py").write_text(PIPELINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("ZEN_LINEAGE_URL", "ZEN_ARTIFACT_URL", "ZEN_STACK", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, code: int = 0) -> Any:
        with pytest.raises(SystemExit) as ended:
            zen.main([*arguments, "--json"])
        printed = capsys.readouterr()
        assert ended.value.code == code, printed.err
        return json.loads(printed.out if code in (0, 1) and printed.out else printed.err.splitlines()[-1])

    yield run
    sys.modules.pop(MODULE, None)


def _words(title: str) -> set[str]:
    text = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    return set(re.findall(r"\w+", text.replace("```text", "").partition(f"\n## {title}\n")[2].partition("\n## ")[0]))


def test_run_and_show(ask: Ask) -> None:
    ran = ask("run", f"{MODULE}.py:shapes", code=1)
    shown = ask("show")
    assert ran == shown
    assert set(shown) >= RUN_KEYS
    assert set(shown) - _words("zen run, zen show") == set()
    read, count, fail = shown["steps"]
    for step in (read, count, fail):
        assert set(step) >= STEP_KEYS
        assert set(step) - _words("zen run, zen show") == set()
    assert set(count["inputs"]["other"]["items"]) == {"[0]", "[1]"}
    assert set(read["outputs"]["result"]) == {"artifact_id", "digest", "type", "uri", "version", "size_bytes", "value"}
    assert (count["metrics"], count["params"]) == ({"characters": 4.0}, {"unit": "character"})
    assert fail["error"]["type"] == "ValueError"
    assert set(fail["error"]) == {"type", "message", "traceback"}


def test_why_and_plan(ask: Ask) -> None:
    ask("run", f"{MODULE}.py:shapes", code=1)
    ask("run", f"{MODULE}.py:shapes", "--no-cache", code=1)
    why = [ask("why", "latest", step) for step in ("read", "count", "fail")]
    ask("run", f"{MODULE}.py:shapes", code=1)
    why += [ask("why", "latest", step) for step in ("read", "count")]
    changes = [change for answer in why for change in answer["changed"]]
    assert set().union(*why, *changes) - _words("zen why") == set()
    assert {answer["result"] for answer in why} == {"hit", "miss"}
    plan = ask("plan", f"{MODULE}.py:shapes")
    assert set(plan) - _words("zen plan") == set()
    assert set().union(*plan["steps"]) == set(plan["steps"][0])
    assert set(plan["steps"][0]) - _words("zen plan") == set()


def test_lists_graphs_and_logs(ask: Ask, tmp_path: Path) -> None:
    ask("run", f"{MODULE}.py:shapes", code=1)
    [run] = ask("runs")
    assert set(run) == _words("zen runs") - {"null", "newest", "first"}
    assert set(ask("logs", "latest", "read")) == _words("zen logs") - {"null"}
    for artifact in ask("artifacts"):
        assert set(artifact) == _words("zen artifacts") - {"null", "newest", "first", "value", "source"}
    graph = ask("lineage", "count")
    assert {node["kind"] for node in graph["nodes"]} == {"artifact", "step_run"}
    assert set().union(*graph["nodes"]) - _words("zen lineage") == set()
    assert set(ask("store", "check")) == {*("url", "sound", "schema", "problems", "notices", "counts", "checked_bytes")}
    assert set(ask("store", "upgrade")) == {"url", "revision", "before", "backup"}


def test_what_is_rolled_back_and_reproduced(ask: Ask) -> None:
    ask("run", f"{MODULE}.py:shapes", code=1)
    ask("run", f"{MODULE}.py:shapes", "--no-cache", code=1)
    moved = ask("rollback", "read", "1", "--reason", "why not")
    assert {*moved, *moved["rollbacks"][0]} - _words("zen rollback") == set()
    made = ask("reproduce", "latest", "--no-environment")
    assert made["equal"], "what failed failed again"
    parts = [made, made["code"], made["environment"], *made["inputs"], *made["artifacts"]]
    assert set().union(*parts) - _words("zen reproduce") == set()


def test_environments(ask: Ask) -> None:
    ask("run", f"{MODULE}.py:shapes", code=1)
    shown = ask("env", "show")
    [environment] = shown["environments"]
    words = _words("zen env show, zen env diff")
    assert {*shown, *environment, *environment["snapshot"]} - words == set()
    assert set().union(*environment["snapshot"]["installs"].values()) - words == set()
    assert ask("env", "diff", "latest", "latest") == {"added": {}, "removed": {}, "changed": {}}


def test_diff(ask: Ask, tmp_path: Path) -> None:
    ask("run", f"{MODULE}.py:shapes", code=1)
    (tmp_path / "data.txt").write_text("six of them", encoding="utf-8")
    ask("run", f"{MODULE}.py:shapes", code=1)
    found = ask("diff", "latest~1", "latest")
    words = _words("zen diff")
    assert set(found) | set(found["code"]) <= words
    assert set().union(*found["steps"], *(step["after"] for step in found["steps"])) <= words
    changed = found["artifacts"]["changed"]
    assert set(changed) == {"read:data.txt", "read.result", "count.result"}
    assert set().union(*changed.values(), *(change["after"] for change in changed.values())) <= words
    assert found["metrics"]["changed"]["count.characters"] == {"before": 4.0, "after": 11.0, "difference": 7.0}
    assert set(found["before"]) - {"seconds"} <= _words("zen runs")


def test_compile_push_and_adapters(ask: Ask) -> None:
    [compiled] = ask("compile", f"{MODULE}.py:shapes", "--for", "airflow", "--out", "dags")
    assert set(compiled) == _words("zen compile") - {"path", "feature", "file", "reason", "what", "line"}
    assert compiled["left_out"] == []
    [pushed] = ask("push", "dags")
    assert set(pushed) == _words("zen push")
    for adapter in ask("adapters"):
        assert set(adapter) <= _words("zen adapters")
    for table in ask("adapters", "--features").values():
        for support in table.values():
            assert set(support) == {"support", "reason"}


def test_cleaning_up(ask: Ask) -> None:
    for _ in range(2):
        ask("run", f"{MODULE}.py:shapes", code=1)
    listed = _words("zen cache")
    for entry in ask("cache", "ls"):
        assert set(entry) - listed == set()
    stats = ask("cache", "stats")
    assert {*stats, *stats["steps"][0]} - listed == set()
    assert set(ask("cache", "invalidate", "count", "--yes")) - listed == set()
    done = ask("run", f"{MODULE}.py:shapes", code=1)
    assert done["steps"][1]["status"] == "completed"
    words = _words("zen gc, zen forget")
    collected = ask("gc", "--older-than", "0s")
    assert {*collected, *collected["files"], *collected["kept"]} - words == set()
    assert set().union(*collected["versions"]) - words == set()
    forgotten = ask("forget", "count", "--yes")
    assert {*forgotten, *forgotten["artifacts"][0]} - words == set()
    deleted = ask("show", code=0)["steps"][1]["outputs"]["result"]
    assert set(deleted) - _words("zen run, zen show") == set()


def test_an_error(ask: Ask) -> None:
    error = ask("compile", f"{MODULE}.py:nothing", "--for", "airflow", "--out", "dags", code=1)
    assert set(error) == {"code", "message", "where", "why", "hint", "context"}
    assert error["code"] == "ZEN-D204"
