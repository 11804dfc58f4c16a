"""`zen diff`, in the terminal, as JSON and as a page."""

import html.parser
import json
import re
import sys
import time
from datetime import UTC, datetime

import pytest

from zen_core.contract.manifest import read_manifest
from zen_core.contract.settings import load_settings
from zen_metadata.cli.diff_html import render_page
from zen_metadata.cli.diff_page import print_diff
from zen_metadata.query import Client
from zen_metadata.shim.calls import StepCall
from zen_metadata.shim.run_step import run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import open_workspace

HOSTILE = "</pre><script>alert('x')</script><img src=x onerror=alert(1)>\x1b[2J\u202e&quot;{{ 7*7 }}"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(html.parser.HTMLParser):
    """A page, read strictly: every element that is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.text, self.tags, self.attributes, self.open = "", [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture
def two_runs(project):
    """Two runs, between which a helper, a constant and a parameter changed."""
    project.write(
        helpers="""
        LIMIT = 2

        def weigh(rows):
            return len(rows[:LIMIT])
        """
    )
    project.edit(project.module, "@step\ndef load", "from helpers import weigh\n\n@step\ndef load")
    project.edit(project.module, '{"rows": len(rows)}', '{"rows": weigh(rows)}')
    first = project.run()
    project.edit("helpers", "LIMIT = 2", "# at most\nLIMIT = 3")
    project.edit("helpers", "len(rows[:LIMIT])", "len(rows[:LIMIT]) + 1")
    project.edit(project.module, "0.25", "0.5")
    second = project.run("--param", "depth=5")
    return first["run_id"], second["run_id"]


def test_what_differs_in_plain_text(project, two_runs):
    first, second = (run[:8] for run in two_runs)
    result = project.zen("diff", first, second)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"before  run {first} of churn, completed in ")
    assert lines[1].startswith(f"after   run {second} of churn, completed in ")
    assert "different: parameters (1), code (3), artifacts (2), metrics (1); the same: environment, steps" in lines
    assert "  ~ depth  4 -> 5" in lines
    assert "  ~ train.loss  0.25 -> 0.5  (+0.25)" in lines
    assert re.search(
        r"  ~ helpers.LIMIT +helpers.py:2 -> helpers.py:3  \(variable, reached by train\)\n", result.stdout
    )
    assert f"--- {first}/helpers.py\n+++ {second}/helpers.py\n" in result.stdout
    assert "@@ -2,1 +3,1 @@ helpers.LIMIT\n-LIMIT = 2\n+LIMIT = 3\n" in result.stdout
    assert '-    log_metric("loss", 0.25)\n+    log_metric("loss", 0.5)\n' in result.stdout
    assert '  ~ train.model  {"rows": 2} -> {"rows": 4}' in lines
    assert any(re.fullmatch(r"  = train  completed [\d.]+ s -> completed [\d.]+ s", line) for line in lines)
    assert "\x1b" not in result.stdout


def test_the_machine_form(project, two_runs):
    document = project.json("diff", *two_runs)
    assert document["equal"] is False
    for section in ("parameters", "code", "environment", "artifacts", "metrics"):
        assert set(document[section]) >= {"added", "removed", "changed"}
    assert document["parameters"]["changed"] == {"depth": {"before": 4, "after": 5}}
    assert set(document["code"]["changed"]) == {"helpers:LIMIT", "helpers:weigh", f"{project.module}:train"}
    assert (document["before"]["run_id"], document["after"]["run_id"]) == two_runs
    assert [step["name"] for step in document["steps"]] == ["load", "train", "score"]
    turned = project.json("diff", *reversed(two_runs))
    assert turned["metrics"]["changed"]["train.loss"]["difference"] == -0.25


def test_equal_runs_say_so(project):
    first, second = project.run()["run_id"], project.run()["run_id"]
    result = project.zen("diff", first, second)
    assert result.exit_code == 0
    assert "equal: parameters, code, environment, artifacts, metrics and steps are the same" in result.stdout
    assert project.json("diff", first, second)["equal"] is True
    assert project.json("diff", "latest", "latest")["equal"] is True


def test_an_unknown_run_names_the_nearest(project):
    run = project.run()
    result = project.zen("diff", run["run_id"], "nonsense")
    assert result.exit_code == 2
    assert f"the nearest: {run['run_id'][:8]} (churn)" in result.stderr


def test_a_failed_run_is_compared_with_what_it_has(project):
    first, second = project.run(), project.run("--param", "depth=13")
    shown = project.zen("diff", first["run_id"], second["run_id"]).stdout
    assert re.search(r"  ~ train +completed [\d.]+ s -> failed [\d.]+ s", shown)
    assert re.search(r"  ~ score +completed [\d.]+ s -> upstream_failed\n", shown)
    assert re.search(r"  - train.model +dict\n", shown)


def test_the_elements_of_a_map_are_told_together(project):
    project.write(
        maps="""
        from zen_core import log_metric, pipeline, step

        @step
        def numbers(count: int) -> list[int]:
            return list(range(count))

        @step
        def double(number: int, offset: int) -> int:
            log_metric("half", number / 2)
            return 2 * number + (offset if number > 1 else 0)

        @pipeline
        def maps(count: int = 4, offset: int = 0):
            double.map(number=numbers(count), offset=offset)
        """
    )
    runs = []
    for options in (("--param", "offset=0"), ("--param", "offset=1", "--param", "count=5")):
        runs.append(json.loads(project.zen("run", "maps.py:maps", "--json", *options).stdout)["run_id"])
    shown = project.zen("diff", *runs).stdout
    assert "  ~ double.result   4 -> 5 elements; 2 changed ([2], [3]); 1 added ([4])\n" in shown
    assert "  ~ double.half  0.75 -> 1.0  (+0.25, mean of 4 -> 5 elements)\n" in shown
    assert re.search(r"  ~ double +4 completed [\d.]+ s -> 5 completed [\d.]+ s", shown)
    assert re.search(r"  ~ expand_double +completed \(4\) [\d.]+ s -> completed \(5\) [\d.]+ s  \(expander\)", shown)


KINDS = """
from pathlib import Path
from typing import Annotated
import numpy
import pandas
from sklearn.linear_model import Ridge
from zen_core import current, pipeline, step

@step
def make(k: int) -> tuple[
    Annotated[pandas.DataFrame, "table"],
    Annotated[pandas.DataFrame, "wide"],
    Annotated[Ridge, "model"],
    Annotated[numpy.ndarray, "array"],
    Annotated[str, "text"],
    Annotated[dict, "report"],
    Annotated[bytes, "raw"],
    Annotated[Path, "file"],
]:
    table = pandas.DataFrame({"n": [1.0, 2.0, 3.0 * k], "s": "a"}, index=["x", "y", "z"])
    if k > 1:
        table = table.drop(columns="s").assign(new=1)
    wide = pandas.DataFrame({f"c{number}": [k] for number in range(20)})
    model = Ridge(alpha=k).fit([[1.0], [2.0]], [1.0, 2.0])
    path = current().scratch / "out.bin"
    path.write_bytes(bytes(1000 * k))
    text = "".join(f"line {number}\\n" for number in range(20_000)) + "x\\n" * k
    report = {f"key {number}": "x" * 100 for number in range(200)} | {"k": k}
    return table, wide, model, numpy.array([1.0, 2.0, k]), text, report, b"0" * k, path

@pipeline
def kinds(k: int = 1):
    make(k)
"""


def test_what_is_told_of_each_kind_of_artifact(project):
    project.write(kinds=KINDS)
    for k in (1, 2):
        assert project.zen("run", "kinds.py:kinds", "--param", f"k={k}").exit_code == 0
    shown = project.zen("diff", "latest~1", "latest").stdout
    artifacts = re.sub(r" +", " ", shown.partition("\nartifacts\n")[2].partition("\n\n")[0])
    assert artifacts.splitlines() == [
        " ~ make.array 1 of 3 elements changed",
        " mean 1.33333 -> 1.66667",
        " ~ make.file pathlib.PosixPath, 1000 B -> 2.0 KiB",
        " ~ make.model type sklearn.linear_model.Ridge",
        " alpha 1 -> 2",
        " ~ make.raw bytes, 1 B -> 2 B",
        " ~ make.report dict",
        " changed: k",
        " ~ make.table rows 3; 1 changed",
        " columns added: new (int64)",
        " columns removed: s (str)",
        " n: mean 2.0 -> 3.0, max 3.0 -> 6.0",
        " ~ make.text 1 line added, 0 removed",
        " ~ make.wide rows 1; 1 changed",
        *(f" c{number}: mean 1.0 -> 2.0, min 1 -> 2, max 1 -> 2" for number in range(12)),
        " and 8 more, which --json tells",
    ]


def test_a_deleted_artifact_is_told(project, two_runs):
    assert project.zen("forget", "model@1", "--reason", "request 17", "--yes").exit_code == 0
    shown = project.zen("diff", *two_runs).stdout
    assert re.search(r"  ~ train.model +.*the first was deleted on \d{4}-\d\d-\d\d by .*: request 17", shown)


def test_code_of_a_pushed_bundle_is_compared_with_a_local_run(project, two_runs):
    """What an orchestrator runs has its bundle in the artifact store by `zen push`."""
    assert project.zen("compile", f"{project.module}.py:churn", "--for", "airflow", "--out", "dags").exit_code == 0
    assert project.zen("push", "dags").exit_code == 0
    settings = load_settings(project.root).with_local_defaults()
    manifest = read_manifest(project.root / "dags" / "churn.zen")
    run = new_run(manifest, settings, orchestrator="airflow", run_key="1", overrides={}, tick=datetime.now(UTC))
    module = sys.modules[project.module]
    workspace = open_workspace(settings, remote=False)
    refs = {}
    for name in ("load", "train", "score"):
        function = getattr(module, name).function
        call = StepCall(manifest=manifest, step=name, run=run, upstream=refs, function=function, importable=False)
        refs[name] = dict(run_step(call, workspace).refs)
    workspace.close()
    document = project.json("diff", two_runs[0], run.run_id)
    assert document["notes"] == []
    assert "+LIMIT = 3" in document["code"]["diff"]
    assert project.json("diff", two_runs[1], run.run_id)["code"]["changed"] == {}


# -- terminals -------------------------------------------------------------------------------------------------------


def test_on_a_terminal_there_are_colours(project, two_runs, terminal):
    with Client(root=project.root) as client, terminal() as screen:
        print_diff(client.diff(*two_runs))
    assert "\x1b[31m-LIMIT = 2" in screen.getvalue()
    assert "\x1b[32m+LIMIT = 3" in screen.getvalue()


def test_a_narrow_terminal_loses_nothing(project, two_runs, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    with Client(root=project.root) as client, terminal() as screen:
        print_diff(client.diff(*two_runs))
    plain = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue())
    entries = plain.partition("artifacts\n")[2].partition("metrics")[0]
    assert all(len(line.rstrip()) <= 40 for line in entries.splitlines())
    words = re.sub(r"\s+", "", entries)
    assert '~train.model{"rows":2}->{"rows":4}' in words


def test_many_steps_that_are_alike_are_counted(project):
    lines = "\n    ".join(f"one.with_options(name='step_{number}')({number})" for number in range(30))
    source = "from zen_core import pipeline, step\n\n@step\ndef one(number: int) -> int:\n    return number\n"
    project.write(many=f"{source}\n@pipeline\ndef many():\n    {lines}\n")
    for _ in range(2):
        assert project.zen("run", "many.py:many").exit_code == 0
    runs = [run["run_id"] for run in project.json("runs")]
    shown = project.zen("diff", *runs).stdout
    assert "\nsteps\n30 are alike\n" in shown
    assert "step_7" not in shown


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_page_tells_the_same_and_needs_nothing_else(project, two_runs, tmp_path):
    file = tmp_path / "diff.html"
    result = project.zen("diff", *two_runs, "--html", file)
    assert (result.exit_code, result.stdout) == (0, f"wrote {file}\n")
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not {"src", "href", "onclick", "style"} & {name for name, _ in page.attributes}
    assert not re.search(r"url\(|@import|https?:", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    for words in ("helpers.LIMIT", "-LIMIT = 2", "+LIMIT = 3", "train.loss", "+0.25", *two_runs):
        assert words in page.text
    assert [tag for tag in page.tags if tag in ("h1", "h2")] == ["h1", *["h2"] * 6]
    assert str(project.root) not in text


def test_the_page_is_the_same_each_time(project, two_runs, monkeypatch):
    pages = set()
    for zone in ("Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        with Client(root=project.root) as client:
            pages.add(render_page(client.diff(*two_runs)))
    assert len(pages) == 1


def test_the_page_and_the_json_at_once(project, two_runs, tmp_path):
    result = project.zen("diff", *two_runs, "--html", tmp_path / "diff.html", "--json")
    assert json.loads(result.stdout)["equal"] is False
    assert (tmp_path / "diff.html").exists()


def test_a_page_that_cannot_be_written_is_an_error(project, two_runs, tmp_path):
    result = project.zen("diff", *two_runs, "--html", tmp_path / "nowhere" / "diff.html")
    assert result.exit_code == 2
    assert "the page cannot be written: No such file or directory" in result.stderr
    assert "name a file in a folder that exists" in result.stderr


def test_what_users_wrote_is_shown_and_never_obeyed(project, terminal):
    project.write(
        hostile=f"""
        from zen_core import log_metric, log_params, pipeline, step

        TEXT = {HOSTILE!r}

        @step
        def say(text: str) -> str:
            log_metric(text, 1.0)
            log_params({{text: text}})
            return text + TEXT  # </pre><script>alert('code')</script>

        @pipeline
        def hostile(text: str):
            say(text)
        """
    )
    runs = []
    for more in ("1", "2"):
        ran = project.zen("run", "hostile.py:hostile", "--param", f"text={HOSTILE}{more}", "--json")
        runs.append(json.loads(ran.stdout)["run_id"])
        if more == "1":
            project.edit("hostile", "text + TEXT  #", "TEXT + text  #")
    with Client(root=project.root) as client:
        diff = client.diff(*runs)
        page = render_page(diff)
        with terminal() as screen:
            print_diff(diff)
    read = Page(page)
    assert not {"script", "img"} & set(read.tags)
    assert not {"src", "onerror"} & {name for name, _ in read.attributes}
    assert "</pre><script>alert('x')</script><img src=x onerror=alert(1)>\\x1b[2J\\u202e&quot;{{ 7*7 }}1" in read.text
    assert "TEXT + text  # </pre><script>alert('code')</script>" in read.text
    for shown in (page, screen.getvalue(), project.zen("diff", *runs).stdout):
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown
    assert project.json("diff", *runs)["parameters"]["changed"]["text"]["before"] == f"{HOSTILE}1"
