import contextlib
import io
import json
import os
import zipfile

import pytest

from zen_core.codegen.bundle import MOST_LISTED, LeftOut, build_bundle, find_local_code
from zen_core.codegen.import_roots import ImportRoots
from zen_core.contract.code_bundle import code_digest
from zen_core.contract.settings import load_settings
from zen_core.errors import BundleError

PROJECT = {
    "zen.toml": 'project = "shop"\n',
    "README.md": "# shop\n",
    "flows/__init__.py": "",
    "flows/churn.py": "import pandas\nfrom shop.prices import total\nfrom . import queries\n",
    "flows/queries.py": "SQL = 'select 1'\n",
    "flows/base.sql": "select 2\n",
    "flows/README.md": "notes\n",
    "flows/tests/test_churn.py": "from flows import churn\n",
    "flows/__pycache__/churn.cpython-311.pyc": "x",
    "flows/.env": "PASSWORD=1\n",
    "flows/server.pem": "secret\n",
    "flows/credentials.json": "{}\n",
    "flows/out.zen/manifest.json": "{}\n",
    "flows/dag.py": '"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit."""\n',
    "flows/prefect.yaml": "# A Prefect deployment, emitted by Zen 0.1.0. Do not edit.\n",
    "lib/shop/__init__.py": "",
    "lib/shop/prices.py": "import late_helper\nimport importlib\nimportlib.import_module('plugins.one')\n",
    "late_helper.py": "x = 1\n",
    "plugins/one.py": "y = 2\n",
    "unused.py": "z = 3\n",
    "tests/test_x.py": "import flows.churn\n",
}


@pytest.fixture
def project(tmp_path):
    def make(changes=None, toml='paths = ["lib"]\n'):
        files = {**PROJECT, "zen.toml": PROJECT["zen.toml"] + toml, **(changes or {})}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return make


def bundle_of(root, modules=("flows.churn",)):
    settings = load_settings(root, environ={})
    return build_bundle(settings, ImportRoots.of(settings), modules)


def test_holds_the_packages_that_the_pipeline_reaches_and_nothing_else(project):
    bundle = bundle_of(project())
    assert bundle.names == (
        "flows/__init__.py",
        "flows/base.sql",
        "flows/churn.py",
        "flows/queries.py",
        "late_helper.py",
        "plugins/one.py",
        "shop/__init__.py",
        "shop/prices.py",
        "zen.settings.json",
    )


def test_archive_is_plain_and_its_digest_is_that_of_its_content(project):
    bundle = bundle_of(project())
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}
        assert archive.namelist() == sorted(archive.namelist())
        assert bundle.digest == code_digest({name: archive.read(name) for name in archive.namelist()})
        assert json.loads(archive.read("zen.settings.json")) == {"project": "shop", "paths": ["lib"]}


@pytest.mark.parametrize(
    "name", ["README.md", "flows/README.md", "tests/test_x.py", "flows/tests/test_churn.py", "unused.py", "flows/.env"]
)
def test_an_edit_of_what_is_no_code_of_the_pipeline_changes_no_byte(project, name):
    before = bundle_of(project())
    after = bundle_of(project({name: "something else\n"}))
    assert before == after


@pytest.mark.parametrize("name", ["flows/churn.py", "flows/base.sql", "late_helper.py", "flows/new.py"])
def test_an_edit_of_code_changes_the_digest(project, name):
    before = bundle_of(project())
    after = bundle_of(project({name: "x = 5\n"}))
    assert before.digest != after.digest


def test_emitted_files_committed_in_the_package_do_not_count(project):
    before = bundle_of(project())
    assert not {"flows/dag.py", "flows/prefect.yaml"}.intersection(before.names)
    after = bundle_of(project({"flows/dag.py": '"""An Airflow DAG, emitted by Zen 9.9. Do not edit."""\nx\n'}))
    assert before == after


def test_what_an_import_reaches_goes_along_even_out_of_a_folder_of_tests(project):
    root = project({"flows/churn.py": "from flows.tests import helpers\n", "flows/tests/helpers.py": "a = 1\n"})
    assert "flows/tests/helpers.py" in bundle_of(root).names
    assert "flows/tests/test_churn.py" not in bundle_of(root).names


def test_a_module_that_looks_like_a_secret_is_refused_when_it_is_needed(project):
    root = project({"flows/churn.py": "from flows import credentials\n", "flows/credentials.py": "KEY = 1\n"})
    with pytest.raises(BundleError, match=r"flows/credentials\.py is needed by the pipeline"):
        bundle_of(root)


def test_declared_include_is_exact(project):
    root = project(toml='paths = ["lib"]\n[code]\ninclude = ["shop", "late_helper", "flows/*.sql"]\n')
    assert bundle_of(root).names == (
        "flows/base.sql",
        "late_helper.py",
        "shop/__init__.py",
        "shop/prices.py",
        "zen.settings.json",
    )


def test_declared_include_that_names_nothing_or_a_secret_is_refused_all_at_once(project):
    root = project(toml='[code]\ninclude = ["shopp", "flows/server.pem", "data/*.csv"]\n')
    with pytest.raises(BundleError) as caught:
        bundle_of(root)
    text = str(caught.value)
    assert "'shopp'" in text
    assert "'data/*.csv'" in text
    assert "flows/server.pem is needed" in text


def test_a_link_out_of_the_project_is_refused_and_one_inside_is_followed(project, tmp_path_factory):
    root = project()
    (root / "flows" / "same.sql").symlink_to(root / "flows" / "base.sql")
    (root / "flows" / "again").symlink_to(root / "flows", target_is_directory=True)
    assert "flows/same.sql" in bundle_of(root).names
    outside = tmp_path_factory.mktemp("outside") / "data.csv"
    outside.write_text("1")
    (root / "flows" / "data.csv").symlink_to(outside)
    with pytest.raises(BundleError, match=r"flows/data\.csv is a link that leads out of the project"):
        bundle_of(root)


def test_a_large_file_that_is_no_python_is_left_out_and_told(project):
    before = bundle_of(project())
    root = project()
    with (root / "flows" / "model.bin").open("wb") as file:
        file.truncate(2 * 2**30)
    after = bundle_of(root)
    assert after.left_out == (LeftOut("flows/model.bin", "2,048 MiB of data, more than 10 MiB"),)
    assert (before.digest, before.left_out) == (after.digest, ()), "it is the same wherever the file is not"


def test_of_very_many_files_that_are_left_out_the_first_are_named(project):
    root = project()
    for number in range(MOST_LISTED + 7):
        with (root / "flows" / f"image_{number:03}.bin").open("wb") as file:
            file.truncate(11 * 2**20)
    left_out = bundle_of(root).left_out
    assert left_out[0].file == "flows/image_000.bin"
    assert left_out[MOST_LISTED:] == (LeftOut("…", "and 7 more"),)


def test_a_large_file_that_is_declared_goes_in_but_not_beyond_the_largest_bundle(project):
    root = project(toml='[code]\ninclude = ["flows/model.bin", "late_helper"]\n')
    with (root / "flows" / "model.bin").open("wb") as file:
        file.truncate(11 * 2**20)
        assert "flows/model.bin" in bundle_of(root).names
        file.truncate(101 * 2**20)
    with pytest.raises(BundleError, match=r"larger than 100 MiB; the limit is passed at flows/model\.bin"):
        bundle_of(root)
    local = local_code(root)
    assert local.left_out == (LeftOut("flows/model.bin", "the code bundle would be larger than 100 MiB"),)
    assert local.pack().names == ("late_helper.py", "zen.settings.json")


@pytest.fixture
def nobody():
    """Lets a block run as a user for whom permissions count; the project must lie where that user gets to."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return contextlib.nullcontext

    @contextlib.contextmanager
    def become():
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


@pytest.fixture
def open_project(project, tmp_path):
    """The project, below folders that everybody may enter."""
    root = project()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and "pytest-of" in str(folder):
            folder.chmod(0o755)
    return root


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are those of POSIX")
def test_what_cannot_be_read_is_left_out_and_only_needed_code_fails_the_compilation(open_project, nobody):
    root = open_project
    (root / "flows" / "base.sql").chmod(0)
    (root / "flows" / "private").mkdir(mode=0)
    with nobody():
        assert bundle_of(root).left_out == (
            LeftOut("flows/base.sql", "it cannot be read: Permission denied"),
            LeftOut("flows/private", "it cannot be read: Permission denied"),
        )
    (root / "late_helper.py").chmod(0)
    with nobody():
        with pytest.raises(BundleError, match=r"late_helper\.py is needed by the pipeline, and it cannot be read"):
            bundle_of(root)
        assert {item.file for item in local_code(root).left_out} == {
            "flows/base.sql",
            "flows/private",
            "late_helper.py",
        }


def local_code(root, modules=("flows.churn",)):
    return find_local_code(load_settings(root, environ={}), modules)


def test_the_code_of_a_local_run_has_the_digest_of_its_bundle(project):
    root = project()
    assert local_code(root).digest == bundle_of(root).digest
    assert local_code(root).pack() == bundle_of(root)


def test_what_would_fail_a_compilation_is_left_out_of_the_code_of_a_local_run(project):
    root = project({"flows/credentials.py": "KEY = 1\n"}, toml='[code]\ninclude = ["flows/credentials.py", "gone"]\n')
    assert local_code(root).left_out == (
        LeftOut("flows/credentials.py", "its name says that it holds a secret"),
        LeftOut("gone", "is not there"),
    )


def test_a_file_that_changes_after_the_run_began_is_not_taken_for_what_ran(project):
    root = project()
    code = local_code(root)
    (root / "flows" / "churn.py").write_text("import other\n")
    assert code.pack() is None
    (root / "flows" / "churn.py").unlink()
    assert code.pack() is None


def test_the_chosen_stack_travels(project):
    root = project(toml='[stacks.prod]\ndeployment = "prod"\n')
    settings = load_settings(root, stack="prod", environ={})
    with zipfile.ZipFile(io.BytesIO(build_bundle(settings, ImportRoots.of(settings), ()).content)) as archive:
        assert json.loads(archive.read("zen.settings.json"))["stack"] == "prod"


def test_a_module_shadows_a_folder_of_its_name(project):
    root = project({"late_helper/data.csv": "1\n"})
    assert "late_helper/data.csv" not in bundle_of(root).names
