"""The pinned sets: fit for any package index, and equal where cache keys must agree."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "constraints").glob("*.txt"))
IN_CACHE_KEYS = ("numpy", "pandas", "pyarrow", "pydantic", "scikit-learn")


def _environments() -> set[str]:
    """The keys of ENVIRONMENTS in tools/environments.py, which is no part of the wheel."""
    (table,) = (
        ast.literal_eval(node.value)
        for node in ast.parse((ROOT / "tools" / "environments.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ENVIRONMENTS"
    )
    return set(table)


def _pins(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE))


def test_there_are_some() -> None:
    assert "core.txt" in [file.name for file in FILES]


def test_each_environment_has_its_set_and_is_there_for_the_integration_tests() -> None:
    environments = _environments()
    assert {file.stem for file in FILES} == environments
    assert {file.stem for file in (ROOT / "constraints").glob("*.in")} == environments
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (built,) = re.findall(r"^integration-tests: \$\(foreach name,([a-z0-9 ]+),", makefile, re.MULTILINE)
    assert set(built.split()) == environments


@pytest.mark.parametrize("package", IN_CACHE_KEYS)
def test_a_package_of_cache_keys_has_one_version_everywhere(package: str) -> None:
    versions = {file.name: _pins(file).get(package) for file in FILES}
    assert None not in versions.values(), versions
    assert len(set(versions.values())) == 1, versions


@pytest.mark.parametrize("file", sorted((ROOT / "constraints").rglob("*.txt")), ids=lambda file: file.name)
def test_each_line_is_a_pin_or_a_comment(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[^\s;@/]+", line)] == []
