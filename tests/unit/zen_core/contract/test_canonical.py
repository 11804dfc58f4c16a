"""Canonical JSON, and digests that no two different values share."""

import math

import pytest

from zen_core.contract.canonical import canonical_json, digest_bytes, digest_json


def test_the_text_is_sorted_compact_and_ascii() -> None:
    assert canonical_json({"b": [1, None], "a": "ü"}) == '{"a":"\\u00fc","b":[1,null]}'


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_what_json_lacks_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_a_digest_is_the_same_in_each_release() -> None:
    """Stored keys and digests stay valid: a change here makes every cache entry a miss."""
    value = {"a": [1, "1", True, 1.0, None, -2], "b": {"c": ["ab", "c"]}}
    assert digest_json("value", value) == "sha256:4ac1b1e6ccb0bae9b785823dd1cf25a0ed22c3fc21fa6df0ffc26ef7cffaeb7d"
    assert digest_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_values_that_look_alike_are_told_apart() -> None:
    values = [1, "1", True, 1.0, None, "", [], {}, [1], ["ab", "c"], ["a", "bc"], ["abc"], 0.0, -0.0, 0, False, "i1:1"]
    assert len({digest_json("value", value) for value in values}) == len(values)


def test_nan_is_nan_and_the_order_of_keys_does_not_count() -> None:
    assert digest_json("value", math.nan) == digest_json("value", -math.nan)
    assert digest_json("value", {"a": 1, "b": 2}) == digest_json("value", {"b": 2, "a": 1})


def test_two_kinds_of_thing_do_not_collide() -> None:
    assert digest_json("value", 1) != digest_json("ir", 1)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no canonical encoding"):
        digest_json("value", {1})
