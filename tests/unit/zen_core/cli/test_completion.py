"""What a shell is offered, asked as the shell asks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ZEN = Path(sys.executable).with_name("zen")
FLOWS = """
raise SystemExit("a TAB must not import this")
from zen_core import File, pipeline, step

@step
def load(data: File): ...

@step
def train(rows): ...

@pipeline
def churn(data: File = File("rows.txt")):
    train(load(data))

@pipeline
def cleanup():
    load("x")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "zen.toml").write_text('project = "demo"\n[stacks.team]\n[stacks.test]\n')
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "other.py").write_text(FLOWS)
    return tmp_path


def ask(folder, words, *, shell="bash", **variables):
    """The values that are offered for the last of the words, as bash divides them."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_"))}
    asked = {"_ZEN_COMPLETE": f"{shell}_complete", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [ZEN], cwd=folder, capture_output=True, text=True, check=False, env={**kept, **asked, **variables}
    )
    assert done.stderr == ""
    return done


def offered(folder, *words):
    done = ask(folder, ["zen", *words])
    assert done.returncode == 0
    return [line.removeprefix("plain,") for line in done.stdout.splitlines() if line]


def test_commands(folder):
    assert {"run", "init", "show", "doctor", "completion"} <= set(offered(folder, ""))
    assert offered(folder, "exp") == ["explain"]
    assert offered(folder, "--st") == ["--stack"]
    assert offered(folder, "store", "u") == ["upgrade"]


def test_pipelines_are_read_from_the_files_and_not_imported(folder):
    assert offered(folder, "run", "") == ["flows.py:churn", "flows.py:cleanup"]
    assert offered(folder, "run", "./fl") == ["./flows.py:churn", "./flows.py:cleanup"]
    assert offered(folder, "deploy", "flows.py") == ["flows.py:churn", "flows.py:cleanup"]
    assert offered(folder.parent, "-C", str(folder), "run", "") == ["flows.py:churn", "flows.py:cleanup"]


def test_bash_ends_a_word_at_a_colon(folder):
    assert offered(folder, "run", "flows.py", ":") == ["churn", "cleanup"]
    assert offered(folder, "run", "flows.py", ":", "ch") == ["churn"]
    assert offered(folder, "run", "flows.py", ":", "churn", "--only", "tr") == ["train"]


def test_where_no_pipeline_fits_files_are_offered(folder):
    assert offered(folder, "run", "data/") == ["file,data/"]


def test_steps_of_the_pipeline_that_was_named(folder):
    for option in ("--only", "--from", "--refresh"):
        assert offered(folder, "run", "flows.py", ":", "churn", option, "") == ["load", "train"]
    assert offered(folder, "run", "flows.py", ":", "cleanup", "--only", "") == ["load"]
    assert offered(folder, "run", "--only", "") == []


def test_targets_and_stacks(folder):
    assert {"airflow", "dagster", "kfp", "prefect", "ir", "all"} == set(
        offered(folder, "compile", "flows.py", "--for", "")
    )
    assert offered(folder, "compile", "flows.py", "--for", "=", "air") == ["airflow"]
    assert "airflow" in offered(folder, "deploy", "flows.py", "--for", "")
    assert offered(folder, "--stack", "te") == ["team", "test"]
    assert offered(folder, "explain", "u20")[:2] == ["U200", "U201"]
    assert offered(folder, "explain", "ZEN-D3")[0] == "ZEN-D301"


def test_runs_and_their_steps(project):
    assert offered(project.root, "show", "") == ["latest"]
    assert project.zen("run", project.ref).exit_code == 0
    latest, run_id = offered(project.root, "show", "")
    assert latest == "latest"
    assert offered(project.root, "logs", run_id[:3]) == [run_id]
    assert offered(project.root, "logs", "latest", "") == ["load", "score", "train"]
    assert offered(project.root, "logs", run_id, "sc") == ["score"]


def test_no_server_is_asked_for_runs(folder):
    done = ask(folder, ["zen", "show", ""], ZEN_LINEAGE_URL="postgresql://zen@db.invalid/zen")
    assert done.stdout == "plain,latest\n"


def test_errors_are_silent(folder):
    (folder / "zen.toml").write_text("no toml")
    assert ask(folder, ["zen", "--stack", ""]).stdout == ""
    assert ask(folder, ["zen", "nonsense", "x", ""]).stdout == ""
    assert ask(folder, ["zen", "run", ""], shell="nonsense").stdout == ""
    (folder / "zen.toml").write_text("")
    (folder / ".zen").mkdir()
    (folder / ".zen" / "zen.db").write_text("no database")
    assert ask(folder, ["zen", "show", ""]).stdout == "plain,latest\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_ask_in_their_own_way(folder, shell):
    words = ["zen", "run", "flows.py:ch"]
    done = ask(folder, words, shell=shell, COMP_WORDS=" ".join(words), COMP_CWORD="2" if shell == "zsh" else words[-1])
    assert "flows.py:churn" in done.stdout
    assert "cleanup" not in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(project, shell):
    result = project.zen("completion", shell)
    assert result.exit_code == 0
    assert f"_ZEN_COMPLETE={shell}_complete" in result.stdout


def test_an_unknown_shell_is_told(project):
    result = project.zen("completion", "tcsh")
    assert result.exit_code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.stderr


DRIVER = """
eval "$(zen completion bash)"
complete -p zen | grep -q _zen_completion || exit 3
words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _zen_completion zen; echo "${COMPREPLY[*]}"; }
words zen expl
words zen run ""
words zen run flows.py : cl
words zen run flows.py : churn --from ""
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_real_bash(folder):
    path = os.pathsep.join([str(ZEN.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "--norc", "-c", DRIVER],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["explain", "flows.py:churn flows.py:cleanup", "cleanup", "load train"]
