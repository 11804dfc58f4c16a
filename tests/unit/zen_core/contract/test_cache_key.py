"""The cache key: each part counts, and can be told from the others."""

from typing import Any

import pytest

from zen_core.contract.cache_key import CacheKey, compute_cache_key

PARTS: dict[str, Any] = {
    "code": "sha256:c",
    "inputs": {"frame": "sha256:f"},
    "outputs": {"model": "Any"},
    "packages": {"pandas": "2.2"},
    "files": {"rules.json": "sha256:r"},
    "environment": {"REGION": "eu"},
    "salt": "1",
}


def _key(**changes: Any) -> CacheKey:
    return compute_cache_key(**{**PARTS, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"code": "sha256:d"}, {"inputs": {"frame": "sha256:g"}}, {"inputs": {"data": "sha256:f"}}, {"inputs": {}},
        {"outputs": {"model": "int"}}, {"packages": {"pandas": "2.3"}}, {"files": {"rules.json": "sha256:s"}},
        {"environment": {"REGION": "us"}}, {"environment": {}}, {"salt": ""}, {"salt": "2"},
        {"all_packages": "sha256:p"},
    ],
)  # fmt: skip
def test_each_part_counts(change: dict[str, Any]) -> None:
    assert _key(**change).key != _key().key


def test_the_parts_tell_which_one_changed() -> None:
    before, after = _key().parts, _key(packages={"pandas": "2.3"}).parts
    assert {part for part in before if before[part] != after[part]} == {"package:pandas"}
    assert list(before) == sorted(before)


def test_the_same_name_in_two_places_is_two_parts() -> None:
    moved = _key(inputs={}, files={"rules.json": "sha256:r", "frame": "sha256:f"})
    assert moved.key != _key().key


def test_the_order_does_not_count() -> None:
    one = _key(inputs={"a": "1", "b": "2"})
    other = _key(inputs={"b": "2", "a": "1"})
    assert one == other


def test_the_value_of_a_variable_is_not_kept() -> None:
    assert "eu" not in _key().parts["env:REGION"]
