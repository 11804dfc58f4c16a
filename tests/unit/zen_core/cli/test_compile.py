"""`zen compile`: what it writes and refuses."""

import json
import os
import subprocess
import sys


def compile_(project, *arguments, target="airflow"):
    return project.zen("compile", project.ref, "--for", target, "--out", "out", *arguments)


def test_it_writes_the_files_and_says_so(project):
    result = compile_(project)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("churn for airflow: 3 steps")
    written = {line.split(" wrote out/")[1] for line in result.stdout.splitlines() if " wrote " in line}
    assert written >= {"churn.py", "churn.zen/manifest.json", "churn.zen/code.zip"}
    assert all((project.root / "out" / path).is_file() for path in written)


def test_a_second_time_nothing_changes(project):
    compile_(project)
    result = compile_(project)
    assert " wrote " not in result.stdout
    assert "unchanged out/churn.py" in result.stdout


def test_neither_a_store_nor_a_run_is_needed(project):
    compile_(project)
    assert not (project.root / ".zen").exists()


def test_check_passes_while_nothing_differs(project):
    compile_(project)
    result = compile_(project, "--check")
    assert result.exit_code == 0
    assert "files in out are up to date" in result.stdout


def test_check_fails_for_what_differs_and_writes_nothing(project):
    compile_(project)
    emitted = project.root / "out" / "churn.py"
    emitted.write_text(emitted.read_text() + "# by hand\n")
    result = compile_(project, "--check")
    assert result.exit_code == 1
    assert "error ZEN-C103" in result.stderr
    assert "# by hand" in result.stderr
    assert emitted.read_text().endswith("# by hand\n")


def test_a_file_that_the_bundle_leaves_out_is_told_and_changes_no_byte(project):
    package = project.root / "heavy_helpers"
    package.mkdir()
    (package / "__init__.py").touch()
    pipeline = project.root / f"{project.module}.py"
    pipeline.write_text(f"import heavy_helpers\n{pipeline.read_text()}")
    with (package / "weights.bin").open("wb") as file:
        file.truncate(2 * 2**30)
    result = compile_(project)
    assert result.exit_code == 0
    assert result.stderr == "  left out of the code: heavy_helpers/weights.bin: 2,048 MiB of data, more than 10 MiB\n"
    [document] = json.loads(compile_(project, "--json").stdout)
    assert document["left_out"] == [
        {"file": "heavy_helpers/weights.bin", "reason": "2,048 MiB of data, more than 10 MiB"}
    ]
    (package / "weights.bin").unlink()
    assert compile_(project, "--check").exit_code == 0, "it is the same where the file is not"


def test_what_python_would_warn_of_in_the_users_code_makes_no_difference(project):
    pipeline = project.root / f"{project.module}.py"
    (project.root / "patterns.py").write_text("import words_of_it\n\nDIGIT = '\\d'\n")
    (project.root / "words_of_it.py").touch()
    pipeline.write_text(f"import patterns\n{pipeline.read_text()}\n\nassert patterns.DIGIT\n")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ZEN"))}
    outcomes = []
    for flags in ((), ("-W", "error")):  # the second time Python takes the bytecode: the user's code runs
        command = [
            sys.executable,
            *flags,
            "-m",
            "zen_core.cli",
            "compile",
            project.ref,
            "--for",
            "airflow",
            "--out",
            "o",
        ]
        check = ["--check"] if flags else []
        done = subprocess.run([*command, *check], cwd=project.root, env=variables, capture_output=True, text=True)
        outcomes.append((done.returncode, "<unknown>" in done.stderr))
    assert outcomes == [(0, False), (0, False)], done.stderr


def test_the_ir_can_be_written(project):
    result = compile_(project, "--json", target="ir")
    files = {"files": ["churn.ir.json"], "changed": ["churn.ir.json"]}
    nothing = {"waived": [], "unfollowed": [], "left_out": []}
    assert json.loads(result.stdout) == [{"target": "ir", "folder": "out", **files, **nothing}]
    assert json.loads((project.root / "out" / "churn.ir.json").read_text())["name"] == "churn"


def test_all_gives_each_target_a_folder_of_its_own(project):
    result = compile_(project, "--json", target="all")
    documents = json.loads(result.stdout)
    assert {document["folder"] for document in documents} == {f"out/{document['target']}" for document in documents}
    assert "airflow" in {document["target"] for document in documents}
    assert (project.root / "out" / "airflow" / "churn.py").is_file()


def test_code_that_is_installed_is_not_bundled(project):
    result = compile_(project, "--code", "installed")
    assert result.exit_code == 0
    assert not (project.root / "out" / "churn.zen" / "code.zip").exists()


def test_an_unknown_target_names_the_nearest(project):
    result = compile_(project, target="airflw")
    assert result.exit_code == 3
    assert "did you mean 'airflow'?" in result.stderr
    assert not (project.root / "out").exists()


def test_the_engine_is_no_target(project):
    result = compile_(project, target="local")
    assert result.exit_code == 3
    assert "the adapter 'local' is an engine" in result.stderr


def test_what_the_target_cannot_express_is_refused(project):
    module = project.root / f"{project.module}.py"
    module.write_text(
        module.read_text().replace("@step\ndef train", "@step(retry=Retry(times=2, backoff=3))\ndef train")
    )
    module.write_text(module.read_text().replace("import File", "import File, Retry"))
    result = compile_(project)
    assert result.exit_code == 1
    assert "error ZEN-C101: adapter 'airflow' cannot express retry_backoff_factor" in result.stderr
    assert "step 'train' of pipeline 'churn'" in result.stderr
    assert not (project.root / "out").exists()


def test_what_is_waived_is_said(project):
    module = project.root / f"{project.module}.py"
    module.write_text(module.read_text().replace("@step\ndef train", "@step(resources=Resources(cpu=2))\ndef train"))
    module.write_text(module.read_text().replace("import File", "import File, Resources"))
    project.write(zen__toml='project = "demo"\n[adapters.airflow]\nwaive = ["resources"]\n')
    result = compile_(project)
    assert result.exit_code == 0, result.stderr
    assert "  waived: resources, which this target leaves out" in result.stdout
