"""Two environments side by side, and those of a run."""

from __future__ import annotations

import pytest

from zen_metadata.query.environments import EnvironmentDiff, compare_environments, describe_uncommitted

_BEFORE = {
    "python": "3.11.7",
    "implementation": "CPython",
    "platform": "linux",
    "packages": {"pandas": "2.2.3", "numpy": "2.0.0", "lib": "1.0", "gone": "4.0"},
    "installs": {"lib": {"kind": "editable", "commit": "a" * 40}},
    "environment_variables": ["MODEL_URL", "PATH"],
    "git": {"commit": "1" * 40, "branch": "main", "remote": None, "folder": ".", "dirty": False, "diff": ""},
}


def _patch(file: str, text: str) -> str:
    return f"diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-x\n+{text}\n"


_AFTER = {
    **_BEFORE,
    "python": "3.12.1",
    "packages": {"pandas": "2.3.0", "numpy": "2.0.0", "lib": "1.0", "fresh": "1.0"},
    "installs": {"lib": {"kind": "editable", "commit": "b" * 40, "dirty": True}},
    "environment_variables": ["PATH", "WORKERS"],
    "gpus": {"driver": "535.1", "models": ["A100", "A100"]},
    "git": {**_BEFORE["git"], "commit": "2" * 40, "branch": None, "dirty": True, "diff": _patch("features.py", "y")},
}


def test_the_same_environment() -> None:
    found = compare_environments(_BEFORE, dict(_BEFORE))
    assert found == EnvironmentDiff()
    assert not found
    assert found.lines() == []
    assert found.to_json() == {"added": {}, "removed": {}, "changed": {}}


def test_everything_that_differs_is_named() -> None:
    found = compare_environments(_BEFORE, _AFTER)
    digest = describe_uncommitted(_AFTER["git"])["features.py"]
    assert found.to_json() == {
        "added": {
            "git.diff": {"features.py": digest},
            "gpu.driver": "535.1",
            "gpu.models": "A100, A100",
            "package:fresh": "1.0",
            "variable:WORKERS": "set",
        },
        "removed": {"git.branch": "main", "package:gone": "4.0", "variable:MODEL_URL": "set"},
        "changed": {
            "git.commit": {"before": "1" * 40, "after": "2" * 40},
            "package:lib": {
                "before": "1.0 (editable, git aaaaaaaaaaaa)",
                "after": "1.0 (editable, git bbbbbbbbbbbb, uncommitted changes)",
            },
            "package:pandas": {"before": "2.2.3", "after": "2.3.0"},
            "python": {"before": "3.11.7", "after": "3.12.1"},
        },
    }
    assert found.lines() == [
        "GPU driver 535.1 added",
        "GPUs A100, A100 added",
        "python 3.11.7 -> 3.12.1",
        "fresh 1.0 added",
        "gone 4.0 removed",
        "lib 1.0 (editable, git aaaaaaaaaaaa) -> 1.0 (editable, git bbbbbbbbbbbb, uncommitted changes)",
        "pandas 2.2.3 -> 2.3.0",
        "git branch main removed",
        "git commit 111111111111 -> 222222222222",
        "uncommitted changes features.py added",
        "variable MODEL_URL removed",
        "variable WORKERS added",
    ]


def test_the_other_way_round_what_was_added_is_removed() -> None:
    there, back = compare_environments(_BEFORE, _AFTER), compare_environments(_AFTER, _BEFORE)
    assert (back.added, back.removed) == (there.removed, there.added)
    assert back.changed == {
        name: {"before": pair["after"], "after": pair["before"]} for name, pair in there.changed.items()
    }


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (("a.py", "y"), ("a.py", "z"), "uncommitted changes a.py -> a.py (changed again)"),
        (("a.py", "y"), ("b.py", "y"), "uncommitted changes a.py -> b.py"),
    ],
)
def test_uncommitted_changes_differ_by_file(before, after, words: str) -> None:
    left, right = ({"git": {"diff": _patch("same.py", "q") + _patch(*item)}} for item in (before, after))
    assert compare_environments(left, right).lines() == [words]


def test_a_change_that_was_too_large_still_counts() -> None:
    left, right = (
        {"git": {"diff": "", "left_out": [{"file": "a.py", "reason": "900 kB", "digest": f"sha256:{digit * 64}"}]}}
        for digit in "12"
    )
    assert compare_environments(left, right).lines() == ["uncommitted changes a.py -> a.py (changed again)"]
    assert not compare_environments(left, left)
