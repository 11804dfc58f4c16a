"""The pinned sets: fit for any package index, and equal where cache keys must agree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "constraints").glob("*.txt"))
IN_CACHE_KEYS = ("numpy", "pandas", "pyarrow", "pydantic", "scikit-learn")


def _pins(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE))


def test_there_are_some() -> None:
    assert "core.txt" in [file.name for file in FILES]


@pytest.mark.parametrize("package", IN_CACHE_KEYS)
def test_a_package_of_cache_keys_has_one_version_everywhere(package: str) -> None:
    versions = {file.name: _pins(file).get(package) for file in FILES}
    assert None not in versions.values(), versions
    assert len(set(versions.values())) == 1, versions


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_line_is_a_pin_or_a_comment(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[^\s;@/]+", line)] == []
