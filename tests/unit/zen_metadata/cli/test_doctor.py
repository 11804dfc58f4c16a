import json

import pytest


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
    assert code == 0
    assert found["data root"]["problem"]["message"] == "the data root is not there"


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
