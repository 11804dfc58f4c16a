"""Refs: small JSON that tasks hand to one another."""

from typing import Any

import pytest

from zen_core.contract.refs import NO_VALUE, ArtifactRef, is_scalar, ref_from_json
from zen_core.errors import MissingInputError


@pytest.mark.parametrize("value", [NO_VALUE, None, 0, "x"])
def test_a_ref_is_read_as_it_was_written(value: Any) -> None:
    ref = ArtifactRef("id", "sha256:1", "int", value)
    assert ref_from_json(ref.to_json()) == ref
    assert ("value" in ref.to_json()) is (value is not NO_VALUE)


@pytest.mark.parametrize("document", [{}, {"artifact_id": "a"}, None, "text", 3])
def test_what_is_no_ref(document: Any) -> None:
    with pytest.raises(MissingInputError, match="which is no artifact ref"):
        ref_from_json(document, where="step 'train'")


def test_only_small_scalars_travel_in_a_ref() -> None:
    assert all(is_scalar(value) for value in (None, True, 1, 1.5, "", "x" * 1024))
    assert not any(is_scalar(value) for value in ([], {}, "x" * 1025, "ü" * 513))
