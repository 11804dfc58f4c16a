"""The IR's models: frozen, closed, and with a digest of what they mean."""

from typing import Any

import pytest
from pydantic import ValidationError

from zen_core.contract.bindings import ConstantBinding, DictBinding
from zen_core.ir.specs import CacheSpec, InputSpec, PipelineSpec, RetrySpec, StepSpec


def _pipeline(**fields: Any) -> PipelineSpec:
    step = StepSpec(name="train", entry_point="pkg.mod:train", cache=CacheSpec(enabled=True), **fields)
    return PipelineSpec(name="churn", steps=(step,))


def test_models_are_frozen_and_closed() -> None:
    pipeline = _pipeline()
    with pytest.raises(ValidationError, match="frozen"):
        pipeline.name = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        PipelineSpec(name="p", steps=(), pool="x")


@pytest.mark.parametrize("name", ["Train", "1st", "", "träin", "a-b", "a" * 64, "train\n"])
def test_a_step_name_is_short_lower_case_and_ascii(name: str) -> None:
    with pytest.raises(ValidationError):
        StepSpec(name=name, entry_point="m:f", cache=CacheSpec(enabled=True))


@pytest.mark.parametrize("entry_point", ["train", "m:", ":f", "m:<lambda>", "m/f:g", "m:f:g"])
def test_an_entry_point_is_module_and_qualname(entry_point: str) -> None:
    with pytest.raises(ValidationError):
        StepSpec(name="a", entry_point=entry_point, cache=CacheSpec(enabled=True))


def test_what_is_not_used_is_left_out_of_the_document() -> None:
    step = _pipeline().to_json()["steps"][0]
    assert "retry" not in step
    assert "source" not in step


def test_a_users_own_none_stays_in_the_document() -> None:
    binding = ConstantBinding({"a": None, "value": None})
    inputs = (InputSpec(name="x", type="Any", binding=binding),)
    document = _pipeline(inputs=inputs).to_json()
    assert document["steps"][0]["inputs"][0]["binding"]["value"] == {"a": None, "value": None}
    assert PipelineSpec.from_json(document) == _pipeline(inputs=inputs)


def test_a_dict_of_bindings_may_have_any_keys() -> None:
    binding = DictBinding({"value": ConstantBinding(None), "default": ConstantBinding([None])})
    pipeline = _pipeline(inputs=(InputSpec(name="x", type="Any", binding=binding),))
    again = PipelineSpec.from_json(pipeline.to_json())
    assert again == pipeline
    assert again.digest == pipeline.digest


def test_descriptions_and_places_do_not_count_in_the_digest() -> None:
    plain = _pipeline()
    told = _pipeline(description="Trains.", source="churn.py:3").model_copy(
        update={"description": "All of it.", "source": "churn.py:9"}
    )
    assert told.digest == plain.digest
    assert told != plain


def test_what_means_something_counts_in_the_digest() -> None:
    variants = [
        _pipeline(),
        _pipeline(tags=("a",)),
        _pipeline(timeout_seconds=1.0),
        _pipeline(retry=RetrySpec(times=1)),
        _pipeline(retry=RetrySpec(times=1, delay_seconds=1.0)),
    ]
    assert len({pipeline.digest for pipeline in variants}) == len(variants)
