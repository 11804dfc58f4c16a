"""The root command: what it finds, what it costs, and how it fails."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from zen_core.cli.main import zen

HEAVY = ("alembic", "fsspec", "jinja2", "mlflow", "pandas", "pydantic", "rich", "sqlalchemy", "zen_metadata")


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Installs a foreign distribution that brings a command `fail`."""

    def install(code, entry_point="foreign_command:fail"):
        monkeypatch.setitem(sys.modules, "foreign_command", None)
        del sys.modules["foreign_command"]
        (tmp_path / "foreign_command.py").write_text(code)
        metadata = tmp_path / "zen_foreign-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: zen-foreign\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[zen.commands]\nfail = {entry_point}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


@pytest.fixture
def failing(distribution):
    """Makes `zen fail` raise an error, written as code."""

    def install(error):
        distribution(FAILING.format(error=error))

    return install


FAILING = """
import click
from zen_core.diagnostics import Diagnostic
from zen_core.errors import ConfigError, StoreUnavailableError, ZenError

@click.command()
@click.option("--json", "as_json", is_flag=True)
def fail(as_json):
    raise {error}
"""


def invoke(*arguments):
    return CliRunner().invoke(zen, arguments)


def test_help_lists_every_command_with_what_it_does():
    result = invoke("--help")
    assert result.exit_code == 0
    for line in ("run       Run a pipeline", "compile   Write native code", "show       One run:", "sync    Record"):
        assert line in result.stdout


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['zen', '--help']\nfrom zen_core.cli.main import main\ntry: main()\nfinally: "
    code += "print([name for name in sys.modules if '.' not in name], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.strip("[]\n").replace("'", "").split(", "))
    assert "click" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_version():
    done = subprocess.run(
        [sys.executable, "-m", "zen_core.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("zen 0.")


def test_an_unknown_command_names_the_nearest():
    result = invoke("comple")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error ZEN-U101: there is no command 'comple'",
        "  hint   did you mean 'zen compile'?",
        "more: zen explain ZEN-U101",
    ]


def test_an_unknown_option_names_the_nearest():
    result = invoke("run", "file.py:p", "--refrsh", "load")
    assert result.exit_code == 2
    assert "error ZEN-U100: No such option" in result.stderr
    assert "did you mean --refresh?" in result.stderr


def test_a_missing_option_says_where_to_look():
    result = invoke("compile", "file.py:p", "--for", "ir")
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.stderr
    assert "'zen compile --help' says how it is used" in result.stderr


def test_a_missing_argument_says_what_it_could_be(project):
    assert "hint   one of: airflow, " in project.zen("compile", project.ref).stderr
    assert "hint   one of: latest\n" in project.zen("logs").stderr


def test_a_missing_pipeline_is_looked_for(project):
    several = project.zen("run").stderr
    assert f"hint   one of: {project.module}.py:churn, {project.module}.py:broken\n" in several
    (project.root / f"{project.module}.py").unlink()
    assert "hint   there is no pipeline in this folder; 'zen init FOLDER' writes" in project.zen("run").stderr
    project.zen("init", "new")
    assert "hint   zen -C new run new/pipeline.py:iris\n" in project.zen("run").stderr
    assert "hint   zen run new/pipeline.py:iris\n" in project.zen("-C", "new", "run").stderr


def test_usage_errors_are_json_with_json():
    result = invoke("run", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["code"] == "ZEN-U100"


@pytest.mark.parametrize(
    ("error", "code"), [("ConfigError('no')", 2), ("StoreUnavailableError('no')", 4), ("ZenError('no')", 70)]
)
def test_each_error_has_its_exit_code(failing, error, code):
    failing(error)
    assert invoke("fail").exit_code == code


def test_an_error_says_what_where_why_and_what_to_do(failing):
    failing("""ConfigError("unknown setting 'projekt'", where="zen.toml", why="a typo", hint="write project")""")
    result = invoke("fail")
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error ZEN-U200: unknown setting 'projekt'",
        "  where  zen.toml",
        "  why    a typo",
        "  hint   write project",
        "more: zen explain ZEN-U200",
    ]


def test_an_error_as_json_goes_to_stderr_and_nothing_to_stdout(failing):
    failing('ConfigError("unknown setting", where="zen.toml", context={"key": "projekt"})')
    result = invoke("fail", "--json")
    assert result.stdout == ""
    assert json.loads(result.stderr) == {
        "code": "ZEN-U200",
        "message": "unknown setting",
        "where": "zen.toml",
        "why": "",
        "hint": "",
        "context": {"key": "projekt"},
    }


def test_several_problems_are_all_in_the_json(failing):
    failing('ConfigError(diagnostics=[Diagnostic("ZEN-U201", "one"), Diagnostic("ZEN-U202", "two")])')
    document = json.loads(invoke("fail", "--json").stderr)
    assert document["message"] == "one"
    assert [problem["message"] for problem in document["problems"]] == ["one", "two"]


def test_an_unexpected_exception_is_a_bug_in_zen(failing, monkeypatch):
    monkeypatch.delenv("ZEN_DEBUG", raising=False)
    failing('KeyError("lost")')
    result = invoke("fail")
    assert result.exit_code == 70
    assert result.stderr.startswith("error ZEN-X100: a bug in Zen: KeyError: 'lost'\n  where  ")
    assert "ZEN_DEBUG=1" in result.stderr
    assert "Traceback" not in result.stderr


def test_zen_debug_shows_the_traceback(failing, monkeypatch):
    monkeypatch.setenv("ZEN_DEBUG", "1")
    failing('KeyError("lost")')
    result = invoke("fail")
    assert "Traceback (most recent call last)" in result.stderr
    assert "a bug in Zen" in result.stderr


def test_an_interrupt_is_130(failing):
    failing("KeyboardInterrupt")
    result = invoke("fail")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


def test_a_command_that_cannot_be_imported_names_its_distribution(distribution, monkeypatch):
    monkeypatch.delenv("ZEN_DEBUG", raising=False)
    distribution("", entry_point="foreign_command:missing")
    result = invoke("fail")
    assert result.exit_code == 70
    assert "the command 'fail' cannot be loaded: AttributeError" in result.stderr
    assert "foreign_command:missing in zen-foreign" in result.stderr


def test_a_command_of_another_distribution_is_listed_without_being_imported(distribution):
    distribution("raise ImportError")
    shown = invoke("--help").stdout
    assert "Further commands:\n  fail  From zen-foreign." in shown


def test_project_dir_is_where_the_settings_come_from(tmp_path):
    (tmp_path / "zen.toml").write_text("projekt = 'x'\n")
    result = invoke("-C", str(tmp_path), "adapters", "--features")
    assert result.exit_code == 2
    assert "unknown setting projekt" in result.stderr
    assert "did you mean 'project'?" in result.stderr


def test_an_unknown_stack_is_refused(project):
    project.write(zen__toml="[stacks.team]\nlineage_url = 'postgresql://host/db'\n")
    result = invoke("--stack", "teem", "adapters", "--features")
    assert result.exit_code == 2
    assert "there is no stack 'teem'" in result.stderr
    assert "did you mean 'team'?" in result.stderr
