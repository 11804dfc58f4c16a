import json
import os
import shutil
import sqlite3
import zipfile

import pytest

from zen_metadata.artifacts.store import ArtifactStore

STACK = """
project = "{project}"

[stacks.team]
deployment = "airflow-prod"
lineage_url = "postgresql://127.0.0.1:1/zen"
artifact_url = "memory://deploy-tests"
data_root = "/srv/data"

[adapters.airflow]
dags_folder = "dags"
"""


@pytest.fixture
def dags(project):
    folder = project.root / "dags"
    folder.mkdir()
    (project.root / "zen.toml").write_text(STACK.format(project="shop"))
    return folder


def deploy(project, *arguments, stack="team"):
    chosen = ["--stack", stack] if stack else []
    return project.zen(*chosen, "deploy", f"{project.module}.py:churn", "--for", "airflow", *arguments)


def change(project, number, text, added, *, instead=None):
    """Edit the pipeline's module, under a new name, since a process loads a module once."""
    source = project.root / f"{project.module}.py"
    source.write_text(source.read_text().replace(text, f"{instead or text}{added}"))
    project.module += f"_{number}"
    os.rename(source, project.root / f"{project.module}.py")


def ir_of(dags):
    """The IR that the deployed DAG's file names; "" where there is none."""
    text = (dags / "churn.py").read_text() if (dags / "churn.py").exists() else ""
    return text.partition('\nIR = "')[2].partition('"')[0]


def test_puts_the_dag_and_what_lies_beside_it_into_the_folder(project, dags):
    done = deploy(project)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"churn for airflow: churn, {project.root / 'dags'}",
        "  wrote churn.py",
        "  wrote churn.zen/.airflowignore",
        "  wrote churn.zen/code.zip",
        "  wrote churn.zen/manifest.json",
        "  start it: airflow dags trigger churn",
    ]
    assert (dags / "churn.py").exists()


def test_a_second_time_nothing_changes(project, dags):
    deploy(project)
    before = {path: path.stat().st_mtime_ns for path in dags.rglob("*") if path.is_file()}
    done = deploy(project)
    assert "unchanged: it was deployed already" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in dags.rglob("*") if path.is_file()} == before


def test_what_the_code_bundle_leaves_out_is_told(project, dags):
    package = project.root / f"heavy_{project.module}"
    package.mkdir()
    (package / "__init__.py").touch()
    with (package / "weights.bin").open("wb") as file:
        file.truncate(11 * 2**20)
    source = project.root / f"{project.module}.py"
    source.write_text(f"import {package.name}\n{source.read_text()}")
    done = deploy(project)
    assert done.exit_code == 0, done.stderr
    assert f"{package.name}/weights.bin is left out of the code bundle" in done.stderr
    assert "11 MiB of data, more than 10 MiB" in done.stderr


def test_a_dry_run_changes_nothing(project, dags):
    done = deploy(project, "--dry-run")
    assert done.exit_code == 0
    assert "churn can be deployed for airflow; nothing was changed" in done.stdout
    assert not list(dags.iterdir())


def test_json_says_what_was_done(project, dags):
    document = json.loads(deploy(project, "--json").stdout)
    assert document["deployed"] is True
    assert document["name"] == "churn"
    assert document["start"] == "airflow dags trigger churn"
    assert "churn.py" in document["changed"]
    # What workers reach need not be reached from here.
    assert [warning["code"] for warning in document["warnings"]] == ["ZEN-M101"]


def test_everything_that_would_fail_later_is_said_at_once_and_nothing_is_written(project, dags, monkeypatch):
    monkeypatch.setenv("ZEN_LINEAGE_URL", "sqlite:////tmp/zen.db")
    (project.root / "zen.toml").write_text('[adapters.airflow]\ndags_folder = "dags"\n')
    done = deploy(project, stack=None)
    assert done.exit_code == 3
    for text in (
        "error ZEN-S108: a task will need the name of the deployment",
        "error ZEN-S108: a task will need the address of the artifact store",
        "error ZEN-S109: a store lies at a path of this machine",
        "error ZEN-S107: the file 'rows.txt' is relative, and there is no data root",
        "parameter 'data' of pipeline 'churn'",
    ):
        assert text in done.stderr
    assert not list(dags.iterdir())


def test_the_stack_may_be_named_behind_the_command(project, dags):
    done = deploy(project, "--stack", "team", stack=None)
    assert done.exit_code == 0, done.stderr


def test_a_local_store_of_this_machine_is_no_matter_where_the_workers_have_another(project, dags, monkeypatch):
    monkeypatch.setenv("ZEN_LINEAGE_URL", f"sqlite:///{project.root}/mine.db")
    done = deploy(project)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_a_store_of_another_schema_is_refused_and_the_way_out_named(project, dags, monkeypatch, revision):
    store = project.root / "zen.db"
    monkeypatch.setenv("ZEN_LINEAGE_URL", f"sqlite:///{store}")
    project.zen("store", "upgrade")
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE zen_schema SET version_num = ?1, oldest_writer = ?1", (revision,))
    connection.close()
    done = deploy(project)
    assert done.exit_code == 4
    assert "error ZEN-M102" in done.stderr
    assert not list(dags.iterdir())


def test_a_password_is_not_written_down(project, dags):
    source = project.root / f"{project.module}.py"
    source.write_text(
        source.read_text().replace("depth: int = 4):", 'db: str = "mysql://me:hunter22@h/d", depth: int = 4):')
    )
    with (project.root / "zen.toml").open("a") as settings:
        settings.write('[adapters.prefect.job_variables]\nenv = {URL = "postgresql://zen:hunter22@h/zen"}\n')
    done = deploy(project)
    assert done.exit_code == 3
    assert done.stderr.count("error ZEN-U205: an address with a password would be written down") == 2
    assert "parameter 'db' of pipeline 'churn'" in done.stderr
    assert "zen.toml adapters" in done.stderr
    assert "hunter22" not in done.stderr


def test_a_bundle_goes_into_a_store_that_workers_reach_and_not_into_a_folder(project, dags, monkeypatch):
    monkeypatch.setenv("ZEN_ARTIFACT_URL", "memory://deployed-bundles")
    assert deploy(project).exit_code == 0
    (bundle,) = ArtifactStore("memory://deployed-bundles").list("code")
    assert bundle.endswith(".zip")
    monkeypatch.setenv("ZEN_ARTIFACT_URL", str(project.root / "artifacts"))
    monkeypatch.setenv("ZEN_SHARED_FILESYSTEM", "true")
    assert deploy(project).exit_code == 0
    assert not (project.root / "artifacts").exists()


def test_what_only_the_environment_here_says_is_a_warning(project, dags, monkeypatch):
    monkeypatch.setenv("ZEN_DEPLOYMENT", "airflow-prod")
    text = (project.root / "zen.toml").read_text().replace('deployment = "airflow-prod"\n', "")
    (project.root / "zen.toml").write_text(text)
    done = deploy(project)
    assert done.exit_code == 0, done.stderr
    assert "warning ZEN-S113: a task will need the name of the deployment" in done.stderr
    assert "set ZEN_DEPLOYMENT in the workers' environment too" in done.stderr


def test_an_address_may_come_from_the_orchestrator(project, dags):
    text = (project.root / "zen.toml").read_text().replace('lineage_url = "postgresql://127.0.0.1:1/zen"\n', "")
    text += '[adapters.airflow.credentials]\nZEN_LINEAGE_URL = "connection:zen_lineage"\n'
    (project.root / "zen.toml").write_text(text)
    done = deploy(project)
    assert done.exit_code == 0, done.stderr
    emitted = (dags / "churn.py").read_text()
    assert 'CREDENTIALS = {"ZEN_LINEAGE_URL": "connection:zen_lineage"}' in emitted
    assert "runtime.run_step(__file__, IR, step, upstream, CREDENTIALS)" in emitted
    assert "runtime.end_run(__file__, IR, CREDENTIALS)" in emitted


@pytest.mark.parametrize(
    "foreign",
    [
        'from airflow.sdk import DAG\nwith DAG("churn", schedule=None):\n    pass\n',
        'import airflow\ndag = airflow.DAG(dag_id="churn")\n',
        "from airflow.sdk import dag\n@dag\ndef churn():\n    pass\n",
        'from airflow.sdk import dag\n@dag(dag_id="churn", schedule=None)\ndef other():\n    pass\n',
    ],
)
def test_another_dag_of_that_name_is_not_touched(project, dags, foreign):
    (dags / "team").mkdir(exist_ok=True)
    (dags / "team" / "theirs.py").write_text(foreign)
    done = deploy(project)
    assert done.exit_code == 3
    assert "error ZEN-A105: the DAGs folder has a DAG 'churn' already" in done.stderr
    assert "theirs.py" in done.stderr
    assert not (dags / "churn.py").exists()
    assert (dags / "team" / "theirs.py").read_text() == foreign


@pytest.mark.parametrize("name", ["linked", "inner.zen"])
def test_dags_behind_a_link_are_found_and_those_in_a_folder_of_zens_are_none(project, dags, name):
    elsewhere = project.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs.py").write_text('DAG("churn")')
    (elsewhere / "back").symlink_to(elsewhere)
    (dags / name).symlink_to(elsewhere)
    assert deploy(project).exit_code == (3 if name == "linked" else 0)


def test_a_packaged_dag_of_that_name_is_found_too(project, dags):
    with zipfile.ZipFile(dags / "packaged.zip", "w") as archive:
        archive.writestr("inside.py", 'DAG("churn")')
    assert "packaged.zip" in deploy(project).stderr


def test_dags_of_other_names_and_broken_files_are_no_matter(project, dags):
    (dags / "theirs.py").write_text('DAG("theirs")')
    (dags / "broken.py").write_text("def (")
    (dags / "broken.zip").write_bytes(b"no zip")
    assert deploy(project).exit_code == 0


def test_a_file_of_that_name_that_zen_did_not_write_is_not_replaced(project, dags):
    (dags / "churn.py").write_text("print('mine')\n")
    done = deploy(project)
    assert done.exit_code == 3
    assert "churn.py in the DAGs folder would be replaced" in done.stderr
    assert "it was not emitted by Zen" in done.stderr
    assert (dags / "churn.py").read_text() == "print('mine')\n"


def test_another_projects_pipeline_is_not_replaced(project, dags):
    deploy(project)
    (project.root / "zen.toml").write_text(STACK.format(project="other"))
    done = deploy(project)
    assert done.exit_code == 3
    assert "it belongs to the project 'shop'" in done.stderr


def test_whose_a_dag_is_must_be_told(project, dags):
    deploy(project)
    shutil.rmtree(dags / "churn.zen")
    done = deploy(project)
    assert done.exit_code == 3
    assert "whose it is cannot be told: its churn.zen/manifest.json is missing or damaged" in done.stderr
    (dags / "churn.py").unlink()
    assert deploy(project).exit_code == 0


def test_a_manifest_of_another_version_of_zen_says_whose_it_is_too(project, dags):
    deploy(project)
    manifest = dags / "churn.zen" / "manifest.json"
    manifest.write_text('{"manifest_version": 99, "project": "shop"}')
    assert deploy(project).exit_code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_before_anything_changes(project, dags):
    deploy(project)
    (dags / "churn.zen").chmod(0o500)
    try:
        done = deploy(project)
    finally:
        (dags / "churn.zen").chmod(0o700)
    assert done.exit_code == 3
    assert f"the folder {dags / 'churn.zen'} cannot be written" in done.stderr


def test_a_task_that_has_read_the_older_file_finds_what_belongs_to_it(project, dags):
    """A deployment that adds a step changes the IR: what was before is kept until the next."""
    for number, added in enumerate(("", "\n    load(data, 1)", "\n    load(data, 2)")):
        change(project, number, "    score(train(load(data, depth), depth))", added)
        before = {path.name: path.read_bytes() for path in (dags / "churn.zen").glob("*.*")}
        old = ir_of(dags)
        done = deploy(project)
        assert done.exit_code == 0, done.stderr
        kept = dags / "churn.zen" / "before"
        assert ir_of(dags) != old
        if old:
            assert "wrote churn.zen/before/manifest.json" in done.stdout
            assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
                name: before[name] for name in ("code.zip", "manifest.json")
            }
            assert json.loads((kept / "manifest.json").read_text())["ir_digest"] == old
        else:
            assert not kept.exists()
    assert "unchanged" in deploy(project).stdout


def test_the_bundle_of_a_deployment_that_was_interrupted_is_not_kept(project, dags):
    deploy(project)
    manifest, bundle = dags / "churn.zen" / "manifest.json", dags / "churn.zen" / "code.zip"
    first = {path: path.read_bytes() for path in (manifest, bundle)}
    change(project, 0, "    score(train(load(data, depth), depth))", "\n    load(data, 1)")
    deploy(project)
    manifest.write_bytes(first[manifest])  # the new bundle was in its place, the new manifest not yet
    assert deploy(project).exit_code == 0
    assert (dags / "churn.zen" / "before" / "code.zip").read_bytes() == first[bundle]


def test_new_code_replaces_the_old_and_older_files_put_back_are_the_older_dag(project, dags):
    deploy(project)
    before = {path: path.read_bytes() for path in dags.rglob("*") if path.is_file()}
    change(project, 0, "return 0.9", "", instead="return 0.8")
    assert deploy(project).exit_code == 0
    assert (dags / "churn.zen" / "manifest.json").read_bytes() != before[dags / "churn.zen" / "manifest.json"]
    for path, content in before.items():
        path.write_bytes(content)
    with zipfile.ZipFile(dags / "churn.zen" / "code.zip") as bundle:
        assert any(b"return 0.9" in bundle.read(name) for name in bundle.namelist())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("", "where the DAG is to go is not known"),
        ('dags_folder = "nowhere"', "is not there"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(project, dags, setting, message):
    text = (project.root / "zen.toml").read_text().replace('dags_folder = "dags"', setting)
    (project.root / "zen.toml").write_text(text)
    done = deploy(project)
    assert done.exit_code == 3
    assert message in done.stderr
    assert "[adapters.airflow] dags_folder" in done.stderr


def test_an_engine_is_no_place_to_deploy_to(project):
    done = project.zen("deploy", f"{project.module}.py:churn", "--for", "local")
    assert done.exit_code == 3
    assert "the adapter 'local' has nowhere to deploy to" in done.stderr
    assert "airflow" in done.stderr


def test_prefect_is_needed_to_deploy_to_it(project, dags):
    text = (project.root / "zen.toml").read_text() + '[adapters.prefect]\nwork_pool = "p"\nflows_folder = "flows"\n'
    (project.root / "zen.toml").write_text(text)
    done = project.zen("--stack", "team", "deploy", f"{project.module}.py:churn", "--for", "prefect")
    assert done.exit_code == 3
    assert 'pip install "zen-core[prefect]"' in done.stderr
