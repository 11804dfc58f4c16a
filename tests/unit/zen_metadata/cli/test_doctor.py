import contextlib
import json
import sqlite3
import threading

import pytest

import zen_metadata.cli
import zen_metadata.doctor
from zen_core.cli.context import CliContext
from zen_metadata.installation import find_outside


def checks(project, *arguments):
    result = project.zen("doctor", "--json", *arguments)
    return result.exit_code, {check["component"]: check for check in json.loads(result.stdout)}


def test_a_new_project_has_nothing_that_is_broken(project):
    code, found = checks(project)
    assert code == 0
    assert {check["verdict"] for check in found.values()} == {"works"}
    assert "not made yet" in found["lineage store"]["detail"]
    assert not (project.root / ".zen").exists()


def test_stores_are_written_to_and_read(project):
    project.run()
    before = {path for path in (project.root / ".zen").rglob("*") if "mlflow" not in path.name}
    code, found = checks(project)
    assert code == 0
    assert "written and read, schema" in found["lineage store"]["detail"]
    assert "written, read and removed" in found["artifact store"]["detail"]
    after = {path for path in (project.root / ".zen").rglob("*") if "mlflow" not in path.name and path.is_file()}
    assert {path for path in after - before if "artifacts" in path.parts} == set()


def test_a_store_that_is_away_does_not_hide_the_others(project, monkeypatch):
    monkeypatch.setenv("ZEN_LINEAGE_URL", "postgresql://someone:hunter22@127.0.0.1:1/zen")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:hunter22@127.0.0.1:1")
    project.run()
    result = project.zen("doctor")
    assert result.exit_code == 4
    lines = result.stdout.splitlines()
    assert any(line.startswith("broken   lineage store: postgresql://127.0.0.1:1/zen") for line in lines)
    assert any(line.startswith("works    artifact store") for line in lines)
    assert any(line.startswith("broken   MLflow") for line in lines)
    assert "error ZEN-M101" in result.stderr
    assert "hunter22" not in result.stdout + result.stderr


def test_a_folder_that_may_not_be_made_is_said(project, monkeypatch):
    (project.root / "file").write_text("no folder")
    monkeypatch.setenv("ZEN_ARTIFACT_URL", str(project.root / "file" / "artifacts"))
    code, found = checks(project)
    assert code == 4
    assert found["artifact store"]["verdict"] == "broken"


def test_a_data_root_that_is_not_there_is_said(project, monkeypatch):
    monkeypatch.setenv("ZEN_DATA_ROOT", str(project.root / "nowhere"))
    code, found = checks(project)
    assert code == 4
    assert found["data root"]["verdict"] == "broken"
    assert found["data root"]["problem"]["message"] == "the data root is not there"
    assert "run zen doctor there" in found["data root"]["problem"]["hint"]


@pytest.mark.parametrize(("folder", "code", "verdict"), [("dags", 0, "works"), ("nowhere", 3, "broken")])
def test_the_configured_adapters_are_examined(project, folder, code, verdict):
    (project.root / "dags").mkdir()
    (project.root / "zen.toml").write_text(f'[adapters.airflow]\ndags_folder = "{folder}"\n')
    found_code, found = checks(project)
    assert found_code == code
    assert found["airflow: DAGs folder"]["verdict"] == verdict


def test_one_adapter_can_be_asked_for(project):
    code, found = checks(project, "--for", "airflow")
    assert code == 0
    assert "nowhere to write" in found["airflow: DAGs folder"]["detail"]
    result = project.zen("doctor", "--for", "airflo")
    assert result.exit_code == 3
    assert "did you mean 'airflow'?" in result.stderr


def test_wrong_options_are_said_and_the_rest_goes_on(project):
    (project.root / "zen.toml").write_text('[adapters.airflow]\ndags_foldr = "x"\n')
    code, found = checks(project)
    assert code == 2
    assert "did you mean 'dags_folder'?" in found["airflow"]["problem"]["hint"]
    assert found["lineage store"]["verdict"] == "works"


def test_settings_that_cannot_be_read_are_a_check_too(project):
    (project.root / "zen.toml").write_text("project = ")
    code, found = checks(project)
    assert code == 2
    assert found["settings"]["problem"]["code"] == "ZEN-U204"
    assert found["Python"]["verdict"] == "works"
    (project.root / "zen.toml").write_text('[stacks.team]\ndeployment = "x"\n')
    code, found = checks(project, "--stack", "tem")
    assert code == 2
    assert "did you mean 'team'?" in found["settings"]["problem"]["hint"]


def test_a_schema_of_another_version_names_the_command(project):
    project.run()
    with contextlib.closing(sqlite3.connect(project.root / ".zen" / "zen.db")) as connection, connection:
        connection.execute("UPDATE zen_schema SET version_num = '9999', oldest_writer = '9999'")
    code, found = checks(project)
    assert code == 4
    problem = found["lineage store"]["problem"]
    assert problem["code"] == "ZEN-M102"
    assert "has schema 9999, which is newer" in problem["message"]
    assert "zen store upgrade" in problem["why"]


def test_no_password_is_shown_wherever_it_stands(project, monkeypatch):
    monkeypatch.setenv("ZEN_LINEAGE_URL", "postgresql://me:hunt/er22@127.0.0.1:1/zen?password=hunter33")
    monkeypatch.setenv("ZEN_DATA_ROOT", "nosuch://me:hunter44@host/data")
    result = project.zen("doctor")
    assert result.exit_code == 4
    assert not any(secret in result.stdout + result.stderr for secret in ("er22", "hunter33", "hunter44"))


def test_a_component_that_never_answers_is_given_up(project, monkeypatch):
    gone = threading.Event()
    monkeypatch.setattr(zen_metadata.doctor, "LONGEST_ANSWER_SECONDS", 0.2)
    monkeypatch.setenv("ZEN_DATA_ROOT", "memory://never-answers")
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.isdir", lambda *_: gone.wait(30))
    try:
        code, found = checks(project)
    finally:
        gone.set()
    assert code == 4
    assert "there was no answer" in found["data root"]["problem"]["message"]


def test_a_terminal_gets_a_table_with_what_is_wrong_below(project, monkeypatch, terminal):
    (project.root / "zen.toml").write_text('[adapters.airflow]\ndags_folder = "nowhere"\n')
    result = project.zen("doctor")
    assert "works    Python: 3." in result.stdout
    with terminal() as screen, contextlib.redirect_stderr(screen), pytest.raises(SystemExit) as ended:
        zen_metadata.cli.doctor.main([], obj=CliContext(), standalone_mode=True)
    assert ended.value.code == 3
    shown = screen.getvalue()
    assert "\x1b[32mworks" in shown
    assert "\x1b[1;31mbroken" in shown
    assert shown.index("broken") < shown.index("error ZEN-A104")


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        (["pytest>=1", "pytest<2000"], []),
        (["pytest<2,>=1"], ["pytest {version} is installed, and Zen is made for <2,>=1"]),
        (["pytest>=2000"], ["pytest {version} is installed, and Zen is made for >=2000"]),
        (["no-such-package>=1"], []),
        (["no-such-package>=1; extra == 'some'", "pytest<2; extra == 'some'"], []),
        (["pytest<2; extra == 'some'"], ["pytest {version} is installed, and Zen is made for <2"]),
    ],
)
def test_versions_outside_the_bounds_are_named(requirements, said):
    assert list(find_outside(requirements)) == [text.format(version=pytest.__version__) for text in said]


def test_openlineage_is_set_up_and_nothing_is_sent(project, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://someone:hunter22@127.0.0.1:1")
    code, found = checks(project)
    assert code == 0
    detail = found["OpenLineage"]["detail"]
    assert "events go to http://127.0.0.1:1, none was sent now" in detail


def test_an_openlineage_client_that_cannot_be_set_up_is_said(project, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "pigeon")
    code, found = checks(project)
    assert code == 4
    assert found["OpenLineage"]["verdict"] == "broken"
    assert found["OpenLineage"]["problem"]["code"] == "ZEN-T110"
