"""`zen env show`, `zen env diff`, and what `zen doctor` and `zen push` say of the environment."""

import contextlib
import json
import os
import platform
import sqlite3
import subprocess

import pytest


@pytest.fixture
def git(project, monkeypatch):
    """Asks git in the project, which is a repository with one commit."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def ask(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=project.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    ask("init", "-q", "-b", "main")
    (project.root / ".gitignore").write_text(".zen/\n")
    ask("add", "-A")
    ask("commit", "-q", "-m", "first")
    return ask


def test_a_run_in_one_environment(project, git):
    git("remote", "add", "origin", "https://joe:s3cret@git.example.org/team/demo.git")
    run = project.run()
    document = project.json("env", "show", run["run_id"])
    assert document["run_id"] == run["run_id"]
    [found] = document["environments"]
    assert found["environment_digest"] == run["steps"][0]["environment_digest"]
    assert found["steps"] == ["load", "train", "score"]
    assert found["pydantic"] == found["snapshot"]["packages"]["pydantic"]
    assert found["snapshot"]["git"]["commit"] == git("rev-parse", "HEAD")
    text = project.zen("env", "show").stdout
    assert f"python    CPython {platform.python_version()} (" in text
    assert f"git       {git('rev-parse', 'HEAD')[:12]} on main\n" in text
    assert "remote    https://git.example.org/team/demo.git\n" in text
    assert f"pydantic {found['pydantic']}, " in text
    assert "environment variables\n" in text
    assert "s3cret" not in text


def test_what_changed_between_two_runs(project, git, monkeypatch):
    first = project.run()["run_id"]
    assert project.zen("env", "diff", first, "latest").stdout.startswith("nothing: both ran in environment ")
    monkeypatch.setenv("MODEL_URL", "x")
    (project.root / "fresh.py").write_text("password = 'hunter2'\n")
    second = project.run()["run_id"]
    found = project.json("env", "diff", first[:8], second[:8])
    assert [*found["added"]] == ["git.diff", "variable:MODEL_URL"]
    assert [*found["added"]["git.diff"]] == ["fresh.py"]
    assert (found["removed"], found["changed"]) == ({}, {})
    assert project.json("env", "diff", f"{second}:load", first)["removed"] == found["added"]
    lines = [line.split() for line in project.zen("env", "diff", first, second).stdout.splitlines()]
    assert lines == [
        ["WHAT", "BEFORE", "AFTER"],
        ["uncommitted", "changes", "-", "fresh.py"],
        ["variable", "MODEL_URL", "-", "set"],
    ]
    assert "+password = '***'\n" in project.zen("env", "show", second, "--patch").stdout
    shown = project.zen("env", "show", second).stdout
    assert "uncommitted  fresh.py, what looks like a secret is masked\n" in shown


def test_passwords_of_the_settings_are_masked_wherever_they_stand(project, git, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://joe:sword%2Ffish@127.0.0.1:1")
    (project.root / "fresh.py").write_text("call('sword/fish')\n")
    project.run()
    assert "+call('***')\n" in project.zen("env", "show", "latest", "--patch").stdout


def _move_to_other_environment(project, run, step, digest):
    with contextlib.closing(sqlite3.connect(project.root / ".zen" / "zen.db")) as database, database:
        (step_run,) = database.execute(
            "select step_run_id from zen_step_runs where run_id = ? and step = ?", (run["run_id"], step)
        ).fetchone()
        database.execute("update zen_attempts set environment_digest = ? where step_run_id = ?", (digest, step_run))


def test_a_run_in_several_environments(project, monkeypatch):
    first = project.run()
    monkeypatch.setenv("MODEL_URL", "x")
    second = project.run()
    _move_to_other_environment(project, second, "train", first["steps"][0]["environment_digest"])
    shown = project.json("env", "show", second["run_id"])["environments"]
    assert [item["steps"] for item in shown] == [["load", "score"], ["train"]]
    [train] = project.json("env", "show", second["run_id"], "train")["environments"]
    assert train == shown[1]
    one = second["run_id"][:8]
    refused = project.zen("env", "diff", one, first["run_id"])
    assert refused.exit_code == 2
    assert f"the steps of run {one} ran in 2 environments" in refused.stderr
    assert f"{one}:load, {one}:train" in refused.stderr
    between = project.json("env", "diff", f"{one}:train", f"{one}:load")
    assert [*between["added"]] == ["variable:MODEL_URL"]


def test_what_is_not_there_is_said(project):
    run = project.run()
    unknown = project.zen("env", "show", run["run_id"], "trian")
    assert unknown.exit_code == 2
    assert "has no step 'trian'" in unknown.stderr
    assert "did you mean 'train'?" in unknown.stderr
    failed = project.run("--param", "depth=13")
    never = project.zen("env", "show", failed["run_id"], "score")
    assert never.exit_code == 2
    assert "step 'score' did not begin" in never.stderr
    _move_to_other_environment(project, run, "load", "sha256:lost")
    gone = project.zen("env", "diff", f"{run['run_id']}:load", "latest")
    assert gone.exit_code == 2
    assert "is not in the lineage store" in gone.stderr
    assert "its snapshot is not in the lineage store" in project.zen("env", "show", run["run_id"], "load").stdout


def test_pushed_code_tells_its_commit(project, git):
    assert project.zen("compile", f"{project.module}.py:churn", "--for", "airflow", "--out", "out").exit_code == 0
    before = {path: path.read_bytes() for path in (project.root / "out").rglob("*") if path.is_file()}
    assert project.zen("push", "out").exit_code == 0
    [bundle] = project.json("push", "out")
    commit = git("rev-parse", "HEAD")
    location = bundle["location"].replace(".zip", ".source.json")
    note = project.root / ".zen" / "artifacts" / location
    assert json.loads(note.read_text()) == {"commit": commit, "branch": "main", "remote": None, "dirty": False}
    git("commit", "-q", "--allow-empty", "-m", "no code changed")
    assert project.zen("compile", f"{project.module}.py:churn", "--for", "airflow", "--out", "out").exit_code == 0
    assert {path: path.read_bytes() for path in before} == before  # a commit changes nothing that is emitted
    assert project.zen("push", "out").exit_code == 0
    assert json.loads(note.read_text())["commit"] == commit
    run = project.run()
    with contextlib.closing(sqlite3.connect(project.root / ".zen" / "zen.db")) as database, database:
        database.execute("update zen_attempts set code_digest = ?", (bundle["code_digest"],))
    assert f"(pushed from {commit[:12]} on main)" in project.zen("env", "show", run["run_id"]).stdout
    [found] = project.json("env", "show", run["run_id"])["environments"]
    assert found["code"][bundle["code_digest"]]["commit"] == commit


def _snapshot_check(project):
    checks = json.loads(project.zen("doctor", "--json").stdout)
    [found] = [check for check in checks if check["component"] == "environment snapshot"]
    return found


def test_doctor_says_what_the_snapshot_would_lack(project, git, monkeypatch):
    found = _snapshot_check(project)
    assert found["verdict"] == "works"
    assert found["detail"].endswith(f"git {git('rev-parse', 'HEAD')[:12]}")
    with open(project.root / "rows.txt", "w") as file:
        file.write("a\n" * 150_000)
    found = _snapshot_check(project)
    assert found["verdict"] == "warning"
    assert found["problem"]["code"] == "ZEN-S118"
    assert found["problem"]["message"] == (
        "the uncommitted changes of rows.txt are not recorded: "
        "450 kB of changes, and at most 200 kB of a file are recorded"
    )
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = _snapshot_check(project)
    assert "git refuses the folder, which belongs to another user" in found["problem"]["message"]
    assert "safe.directory" in found["problem"]["hint"]


def test_doctor_takes_a_project_that_is_not_in_git(project):
    assert _snapshot_check(project)["detail"].endswith(", not in git")
    assert _snapshot_check(project)["verdict"] == "works"
