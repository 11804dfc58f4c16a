"""Commit, branch and remote of every kind of checkout; and what is said where git does not answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zen_core.environment.capture import capture_environment
from zen_core.environment.git import shown_remote


def test_a_clean_checkout(repository) -> None:
    commit = repository.commit(features="x = 1\n")
    repository.git("remote", "add", "origin", "https://joe:s3cret@git.example.org/team/churn.git")
    assert repository.captured() == {
        "commit": commit,
        "branch": "main",
        "remote": "https://git.example.org/team/churn.git",
        "folder": ".",
        "dirty": False,
        "diff": "",
    }


def test_a_detached_checkout_has_no_branch(repository) -> None:
    commit = repository.commit()
    repository.git("checkout", "-q", "--detach")
    found = repository.captured()
    assert (found["commit"], found["branch"]) == (commit, None)


def test_a_shallow_checkout(repository, new_repository, tmp_path) -> None:
    repository.commit(features="x = 1\n")
    commit = repository.commit(features="x = 2\n")
    repository.git("clone", "-q", "--depth", "1", repository.root.as_uri(), str(tmp_path / "shallow"))
    shallow = new_repository(tmp_path / "shallow")
    assert (shallow.root / ".git" / "shallow").exists()
    shallow.write("features.py", "x = 3\n")
    found = shallow.captured()
    assert found["commit"] == commit
    assert found["remote"] is None  # a folder of this machine
    assert "-x = 2\n+x = 3\n" in found["diff"]


def test_a_repository_without_a_commit(repository) -> None:
    repository.write("features.py", "x = 1\n")
    repository.git("add", "features.py")
    found = repository.captured()
    assert (found["commit"], found["branch"], found["dirty"]) == (None, "main", True)
    assert "+x = 1\n" in found["diff"]


def test_a_folder_that_is_not_in_git(tmp_path) -> None:
    assert "git" not in capture_environment(tmp_path)[1]
    assert "git" not in capture_environment(None)[1]


def test_an_unpacked_code_bundle_is_no_part_of_the_repository_around_it(repository) -> None:
    repository.commit()
    repository.write("cache/17c3/zen.settings.json", "{}")
    assert "git" not in capture_environment(repository.root / "cache" / "17c3")[1]


def test_git_is_not_installed(repository, monkeypatch, tmp_path) -> None:
    repository.commit()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert repository.captured() == {"problem": "git is not installed"}


def test_git_refuses_a_folder_of_another_user(repository, monkeypatch) -> None:
    repository.commit()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its own tests
    assert repository.captured() == {
        "problem": "git refuses the folder, which belongs to another user (git config safe.directory)"
    }


def test_what_is_broken_is_told_without_a_path_of_this_machine(repository) -> None:
    repository.commit()
    (repository.root / ".git" / "HEAD").write_text("nonsense")
    problem = repository.captured()["problem"]
    assert problem.startswith("git failed: not a git repository")
    assert str(repository.root) not in problem
    (repository.root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (repository.root / ".git" / "config").write_text("[broken\n")
    problem = repository.captured()["problem"]
    assert problem.startswith("git failed: bad config line 1 in file")
    assert str(repository.root) not in problem


def test_a_worktree_and_a_project_below_the_top(repository, tmp_path) -> None:
    repository.write("services/churn/zen.toml", "")
    repository.write("services/other/flow.py", "y = 1\n")
    commit = repository.commit()
    repository.git("worktree", "add", "-q", "-b", "trial", str(tmp_path / "trial"))
    folder = tmp_path / "trial" / "services" / "churn"
    (folder / "zen.toml").write_text("# mine\n")
    (folder / "flow.py").write_text("x = 1\n")
    (tmp_path / "trial" / "services" / "other" / "flow.py").write_text("y = 2\n")
    found = capture_environment(folder)[1]["git"]
    assert (found["commit"], found["branch"], found["folder"]) == (commit, "trial", "services/churn")
    assert "+++ b/zen.toml\n" in found["diff"]
    assert "+++ b/flow.py\n" in found["diff"]
    assert "y = 2" not in found["diff"]  # not the project's


def test_a_submodule_counts_by_its_commit(repository, new_repository, tmp_path) -> None:
    library = new_repository(tmp_path / "library")
    first = library.commit(scale="x = 1\n")
    repository.git("submodule", "add", "-q", str(library.root), "library")
    repository.commit()
    assert repository.captured()["diff"] == ""
    inside = new_repository(repository.root / "library")
    assert inside.captured()["commit"] == first
    inside.write("scale.py", "x = 2\n")
    assert f"+Subproject commit {first}-dirty\n" in repository.captured()["diff"]
    second = inside.commit()
    diff = repository.captured()["diff"]
    assert f"-Subproject commit {first}\n+Subproject commit {second}\n" in diff


def test_nothing_of_a_users_own_settings_changes_what_is_recorded(repository, monkeypatch, tmp_path) -> None:
    repository.commit(b="x = 1\n", a="y = 1\n")
    repository.write("a.py", "y = 2\n")
    repository.write("b.py", "x = 2\n")
    plain = repository.captured()
    (tmp_path / "order").write_text("b.py\n")
    settings = (
        f"[diff]\nnoprefix = true\nmnemonicPrefix = true\nexternal = false\ncontext = 0\norderFile = {tmp_path}/order\n"
        "[color]\nui = always\n[core]\nquotePath = true\npager = false\nabbrev = 5\n[status]\nshowUntrackedFiles = no\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text(settings)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    assert repository.captured() == plain


def test_asking_changes_nothing(repository) -> None:
    repository.commit(features="x = 1\n")
    index = repository.root / ".git" / "index"
    os.utime(repository.root / "features.py", (1, 1))  # git would like to note that the file is the same
    before = index.read_bytes()
    assert not repository.captured()["dirty"]
    assert index.read_bytes() == before
    (repository.root / ".git" / "index.lock").touch()
    assert not repository.captured()["dirty"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://git.example.org/team/churn.git", "https://git.example.org/team/churn.git"),
        ("https://joe:s3cret@git.example.org/a", "https://git.example.org/a"),
        ("https://ghp_abc@git.example.org/a?token=abc", "https://git.example.org/a?token=***"),
        ("ssh://git@git.example.org:22/a", "ssh://git.example.org:22/a"),
        ("git@git.example.org:team/churn.git", "git@git.example.org:team/churn.git"),
        ("joe@git.example.org:team/churn.git", "git.example.org:team/churn.git"),
        ("/srv/joe/churn.git", None),
        ("../churn.git", None),
        ("file:///srv/joe/churn.git", None),
        ("", None),
    ],
)
def test_a_remote_is_shown_without_who_and_where_on_this_machine(url: str, shown: str | None) -> None:
    assert shown_remote(url) == shown


def test_the_remote_is_that_of_the_branch(repository) -> None:
    repository.commit()
    repository.git("remote", "add", "fork", "https://git.example.org/joe/churn.git")
    assert repository.captured()["remote"] == "https://git.example.org/joe/churn.git"
    repository.git("remote", "add", "origin", "https://git.example.org/team/churn.git")
    assert repository.captured()["remote"] == "https://git.example.org/team/churn.git"
    repository.git("config", "branch.main.remote", "fork")
    assert repository.captured()["remote"] == "https://git.example.org/joe/churn.git"


@contextmanager
def _without_privileges(root: Path) -> Iterator[None]:
    """Root may read everything: so another user asks."""
    if os.geteuid():
        yield
        return
    nobody = 65534
    for path in (root, *root.rglob("*")):
        os.chown(path, nobody, nobody, follow_symlinks=False)
    for folder in root.parents:
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes")
def test_a_file_that_cannot_be_read(repository, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(repository.root))
    commit = repository.commit(features="x = 1\n", other="y = 1\n")
    repository.write("features.py", "x = 22\n").chmod(0)
    repository.write("fresh.py", "z = 1\n").chmod(0)
    with _without_privileges(repository.root):
        found = repository.captured()
    assert found.get("commit") == commit, found
    assert found["dirty"]
    assert found["problem"] == "git cannot read features.py: Permission denied"
    assert found["left_out"] == [{"file": "fresh.py", "reason": "it cannot be read: Permission denied"}]
