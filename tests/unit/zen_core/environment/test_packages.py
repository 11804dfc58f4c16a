"""Which distributions an import means, and what identifies their code."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from zen_core.environment import distributions, installs, packages
from zen_core.environment.installs import describe_installs, describe_version
from zen_core.environment.packages import all_package_versions, package_versions


class Site:
    """A folder of installed packages, first on sys.path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def install(
        self,
        name: str,
        version: str = "1.0",
        files: dict[str, str] | None = None,
        *,
        url: dict | None = None,
        record: bool = True,
    ) -> Path:
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        lines = []
        for path, content in (files or {}).items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            lines.append(f"{path},sha256={hashlib.sha256(content.encode()).hexdigest()},{len(content)}")
        if record:
            (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,", "../../bin/tool,,"]))
        if url is not None:
            (info / "direct_url.json").write_text(json.dumps(url))
        _forget()
        return info


def _forget() -> None:
    """What a process reads once of its packages is read again."""
    for name in (
        distributions.metadata_folders,
        distributions.installed_packages,
        installs.find_installs,
        describe_installs,
    ):
        name.cache_clear()
    packages._known.clear()
    packages._digest_editable.cache_clear()
    packages._digest_installed.cache_clear()
    sys.path_importer_cache.clear()


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield Site(tmp_path / "site")
    monkeypatch.undo()
    _forget()


def test_the_packages_of_this_environment() -> None:
    found = package_versions(
        ["sklearn", "PIL", "yaml", "dateutil", "attr", "google.protobuf", "json", "os.path", "zzz_nowhere"]
    )
    named = {name: version for name, version in found.items() if version != "missing"}
    assert list(named) == sorted(named)
    assert {"scikit-learn", "pillow", "pyyaml", "python-dateutil", "attrs", "protobuf"} == set(named)
    assert found["zzz-nowhere"] == "missing"
    from importlib.metadata import version

    assert all(found == version(name) for name, found in named.items())


def test_names_that_differ_and_modules_alone(site) -> None:
    site.install(
        "Vision.Tools", "4.1", {"cvx/__init__.py": "", "cvx_extra.py": "", "fast.cpython-311-x86_64-linux-gnu.so": ""}
    )
    site.install("cv", "0.1", {"cv/__init__.py": ""})
    assert package_versions(["cvx"]) == {"vision-tools": "4.1"}
    assert package_versions(["cvx_extra", "cvx"]) == {"vision-tools": "4.1"}
    assert package_versions(["fast"]) == {"vision-tools": "4.1"}
    assert package_versions(["cv"]) == {"cv": "0.1"}  # a name that begins alike is another one


def test_all_distributions_that_provide_a_name_count(site) -> None:
    site.install("tracker", "3.0", {"tracker/__init__.py": "", "tracker/server.py": ""})
    site.install("tracker-slim", "3.1", {"tracker/__init__.py": ""})
    site.install("tracker-types", "9.0", {"tracker_types/__init__.py": ""})
    assert package_versions(["tracker"]) == {"tracker": "3.0", "tracker-slim": "3.1"}
    assert package_versions(["tracker.server"]) == {"tracker": "3.0", "tracker-slim": "3.1"}


def test_namespace_packages_are_told_apart(site) -> None:
    site.install("acme-storage", "1.0", {"acme/cloud/storage/__init__.py": "", "acme/cloud/storage/blob.py": ""})
    site.install("acme-queue", "2.0", {"acme/cloud/queue.py": ""})
    site.install("acme-core", "3.0", {"acme/core/__init__.py": ""})
    assert package_versions(["acme.cloud.storage"]) == {"acme-storage": "1.0"}
    assert package_versions(["acme.cloud.storage.blob.Blob"]) == {"acme-storage": "1.0"}
    assert package_versions(["acme.cloud.queue"]) == {"acme-queue": "2.0"}
    assert package_versions(["acme.cloud"]) == {"acme-storage": "1.0", "acme-queue": "2.0"}
    everything = {"acme-storage": "1.0", "acme-queue": "2.0", "acme-core": "3.0"}
    assert package_versions(["acme"]) == everything
    assert package_versions(["acme.cloud.nowhere"]) == {"acme-storage": "1.0", "acme-queue": "2.0"}


def test_a_package_of_an_older_installer_names_its_modules(site) -> None:
    info = site.install("Old_Tool", "0.9", {"oldtool.py": ""}, record=False)
    assert package_versions(["oldtool"])["oldtool"].startswith("none (files ")
    (info / "top_level.txt").write_text("oldtool\n")
    _forget()
    assert package_versions(["oldtool"]) == {"old-tool": "0.9"}


def test_a_commit_of_a_repository_counts(site) -> None:
    for commit in ("a" * 40, "b" * 40):
        url = {"url": "https://joe:pw@git.example.org/lib.git", "vcs_info": {"vcs": "git", "commit_id": commit}}
        info = site.install("lib", "1.0", {"lib/__init__.py": ""}, url=url)
        assert package_versions(["lib"]) == {"lib": f"1.0 (git {commit[:12]})"}
        assert describe_installs()["lib"] == {"kind": "git", "url": "https://git.example.org/lib.git", "commit": commit}
        for path in (*info.iterdir(), info):
            path.unlink() if path.is_file() else path.rmdir()


def test_an_archive_counts_by_its_digest(site) -> None:
    url = {"url": "https://files.example.org/lib.whl?token=abc", "archive_info": {"hashes": {"sha256": "ab" * 32}}}
    site.install("lib", "1.0", {"lib/__init__.py": ""}, url=url)
    assert package_versions(["lib"]) == {"lib": "1.0 (sha256 abababababab)"}
    assert describe_installs()["lib"] == {
        "kind": "archive",
        "url": "https://files.example.org/lib.whl",
        "hash": f"sha256={'ab' * 32}",
    }


def test_a_copy_from_a_folder_counts_by_its_files(site, tmp_path) -> None:
    url = {"url": (tmp_path / "source").as_uri(), "dir_info": {}}
    info = site.install("lib", "1.0", {"lib/__init__.py": "x = 1\n"}, url=url)
    first = package_versions(["lib"])["lib"]
    assert first.startswith("1.0 (files ")
    assert describe_installs()["lib"] == {"kind": "folder"}  # where it came from is a path of this machine
    record = info / "RECORD"
    record.write_text(record.read_text() + "\nlib/__pycache__/__init__.cpython-311.pyc,,\n")
    _forget()
    assert package_versions(["lib"])["lib"] == first
    record.write_text(record.read_text().replace("sha256=", "sha256=00"))
    _forget()
    assert package_versions(["lib"])["lib"] != first


def _install_editable(site: Site, monkeypatch, source: Path) -> None:
    (source / "src" / "lib").mkdir(parents=True, exist_ok=True)
    (source / "src" / "lib" / "__init__.py").write_text("x = 1\n")
    (source / "src" / "lib" / "words.json").write_text("{}")
    site.install(
        "lib", "1.0", {"__editable__lib.pth": ""}, url={"url": source.as_uri(), "dir_info": {"editable": True}}
    )
    monkeypatch.syspath_prepend(str(source / "src"))
    _forget()


def test_an_editable_package_counts_by_the_files_there(site, repository, monkeypatch) -> None:
    _install_editable(site, monkeypatch, repository.root)
    first = package_versions(["lib"])["lib"]
    assert first.startswith("1.0 (editable, files ")
    again = lambda: _forget() or package_versions(["lib"])["lib"]  # noqa: E731
    repository.write("README.md", "more\n")
    repository.write("src/lib/__pycache__/a.pyc", "more\n")
    assert again() == first
    repository.write("src/lib/words.json", "[]")
    assert (second := again()) != first
    repository.write("src/helper.py", "y = 1\n")  # another module of it, which it may import
    assert again() != second


def test_an_editable_package_is_the_same_wherever_it_lies(site, repository, monkeypatch, tmp_path) -> None:
    _install_editable(site, monkeypatch, repository.root)
    first = package_versions(["lib"])
    sys.path.remove(str(repository.root / "src"))
    repository.root.rename(tmp_path / "moved")
    (site.folder / "lib-1.0.dist-info" / "direct_url.json").write_text(
        json.dumps({"url": (tmp_path / "moved").as_uri(), "dir_info": {"editable": True}})
    )
    monkeypatch.syspath_prepend(str(tmp_path / "moved" / "src"))
    _forget()
    assert package_versions(["lib"]) == first


def test_the_snapshot_tells_an_editable_packages_commit(site, repository, monkeypatch) -> None:
    _install_editable(site, monkeypatch, repository.root)
    commit = repository.commit()
    assert describe_installs()["lib"] == {"kind": "editable", "commit": commit}
    repository.write("src/lib/__init__.py", "x = 2\n")
    _forget()
    found = describe_installs()["lib"]
    assert found == {"kind": "editable", "commit": commit, "dirty": True}
    assert describe_version("1.0", found) == f"1.0 (editable, git {commit[:12]}, uncommitted changes)"


def test_code_that_no_distribution_provides_counts_by_its_files(tmp_path, monkeypatch, site) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "house_rules.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "shared"))
    _forget()
    first = package_versions(["house_rules"])
    assert first["house-rules"].startswith("none (files ")
    (tmp_path / "shared" / "house_rules.py").write_text("x = 2\n")
    _forget()
    assert package_versions(["house_rules"]) != first


def test_code_that_hides_an_installed_package_counts(tmp_path, monkeypatch, site) -> None:
    site.install("lib", "1.0", {"lib/__init__.py": ""})
    assert package_versions(["lib"]) == {"lib": "1.0"}
    (tmp_path / "patched" / "lib").mkdir(parents=True)
    (tmp_path / "patched" / "lib" / "__init__.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "patched"))
    _forget()
    assert package_versions(["lib"])["lib"].startswith("none (files ")


def test_all_packages_but_zen_and_the_project(site, repository, monkeypatch) -> None:
    site.install("plain", "1.0", {"plain.py": ""})
    _install_editable(site, monkeypatch, repository.root)
    everything = all_package_versions()
    assert everything["plain"] == "1.0"
    assert everything["lib"].startswith("1.0 (editable, files ")
    assert "zen-core" not in everything
    assert "lib" not in all_package_versions(repository.root)
    assert "lib" not in all_package_versions(repository.root / "src")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"url": 1}', '{"url": "x", "vcs_info": {}}', "null"])
def test_a_damaged_direct_url_is_no_error(site, content: str) -> None:
    info = site.install("lib", "1.0", {"lib/__init__.py": ""})
    (info / "direct_url.json").write_text(content)
    _forget()
    assert list(package_versions(["lib"])) == ["lib"]


def test_a_version_in_words() -> None:
    assert describe_version("1.0", None) == "1.0"
    assert describe_version("1.0", {"kind": "git", "url": "u", "commit": "a" * 40}) == "1.0 (git aaaaaaaaaaaa)"
    assert describe_version("1.0", {"kind": "archive", "url": "https://x/lib.whl"}) == "1.0 (https://x/lib.whl)"
    assert describe_version("1.0", {"kind": "conda"}) == "1.0 (conda)"
    assert describe_version("1.0", {"kind": "editable", "problem": "git is not installed"}) == "1.0 (editable)"
