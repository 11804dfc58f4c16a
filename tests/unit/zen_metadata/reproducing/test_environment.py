"""How each recorded distribution is to be had. What an installer makes of it, the integration tests show."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from zen_core.errors import UsageError
from zen_metadata.reproducing.environment import build_environment, plan_packages

COMMIT = "0123456789abcdef"


def plan(packages: dict[str, str], **installs: dict[str, Any]) -> Any:
    document = {name.replace("_", "-"): install for name, install in installs.items()}
    return plan_packages({"packages": packages, "installs": document}, "My.Shop")


def reason(found: Any) -> str:
    [item] = found.different
    return str(item.reason)


def test_a_plain_version_comes_from_the_index() -> None:
    found = plan({"numpy": "2.1.0"})
    assert (found.wanted, found.lent, found.different) == ({"numpy": "numpy==2.1.0"}, (), ())


def test_a_direct_url_is_taken_as_it_stands() -> None:
    git = plan({"tool": "1"}, tool={"kind": "git", "url": "https://host/tool.git", "commit": COMMIT})
    assert git.wanted == {"tool": f"tool @ git+https://host/tool.git@{COMMIT}"}
    archive = plan({"tool": "1"}, tool={"kind": "archive", "url": "https://host/tool.whl", "hash": "sha256=12"})
    assert archive.wanted == {"tool": "tool @ https://host/tool.whl#sha256=12"}
    assert git.different == archive.different == ()


@pytest.mark.parametrize(
    ("install", "why"),
    [
        ({"kind": "archive", "url": "tool.whl"}, "it was installed from the file tool.whl"),
        ({"kind": "conda"}, "conda had installed it"),
        ({"kind": "system"}, "the system had installed it"),
    ],
)
def test_what_another_way_brought_comes_from_the_index_and_is_told(install: dict[str, Any], why: str) -> None:
    found = plan({"tool": "1"}, tool=install)
    assert found.wanted == {"tool": "tool==1"}
    assert reason(found) == f"{why}; here it is taken from the index"


def test_a_repository_of_another_machine_is_out_of_reach() -> None:
    found = plan({"tool": "1"}, tool={"kind": "git", "commit": COMMIT})
    assert found.wanted == {}
    assert reason(found) == "it came from a repository of that machine, at 0123456789ab"


def test_what_was_installed_from_a_folder_is_lent_where_it_is_here() -> None:
    gone = plan({"gone": "1"}, gone={"kind": "editable", "commit": COMMIT})
    assert (gone.wanted, gone.lent) == ({}, ())
    assert reason(gone) == "it was installed from a folder at 0123456789ab, and is not installed here"
    here = plan({"click": version("click")}, click={"kind": "folder"})
    assert here.lent == ("click",)
    assert reason(here) == "it was installed from a folder; it is lent from here, where it may be another"


def test_the_projects_own_distribution_comes_with_the_code() -> None:
    found = plan({"my-shop": "1"}, my_shop={"kind": "editable", "commit": COMMIT})
    assert (found.wanted, found.lent, found.different) == ({}, (), ())


def test_zen_is_the_one_that_makes_the_run_again() -> None:
    assert plan({"zen-core": version("zen-core")}).different == ()
    found = plan({"zen-core": "0.0.1"})
    assert found.wanted == {}
    assert reason(found) == f"this Zen makes the run again, which is {version('zen-core')}"


def test_a_python_that_is_not_here_is_refused_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zen_metadata.reproducing.environment._find_uv", lambda: "")
    with pytest.raises(
        UsageError, match=r"no virtual environment can be made with Python 3\.99(.|\n)*--no-environment"
    ):
        build_environment({}, "shop", tmp_path / "environment", python="3.99", tell=print)
