"""Bindings, as the manifest and the IR write them."""

import dataclasses
from typing import Any

import pytest

from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    DictBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
    binding_from_json,
    iter_leaves,
    iter_outputs,
)

NESTED = DictBinding(
    {
        "a": ListBinding((OutputBinding("load", "result"), ConstantBinding({"x": 1})), as_tuple=True),
        "b": ParameterBinding("depth"),
        "c": OutputBinding("split", "train"),
    }
)


@pytest.mark.parametrize("binding", [NESTED, ConstantBinding(), ListBinding(), DictBinding()])
def test_a_binding_is_read_as_it_was_written(binding: Binding) -> None:
    assert binding_from_json(dataclasses.asdict(binding)) == binding


@pytest.mark.parametrize(
    "document", [{}, {"kind": "pool"}, {"kind": "output", "step": "a"}, {"kind": "constant", "x": 1}]
)
def test_what_is_no_binding(document: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        binding_from_json(document)


def test_leaves_have_their_paths() -> None:
    assert [path for path, _ in iter_leaves(NESTED)] == ["['a'][0]", "['a'][1]", "['b']", "['c']"]
    assert list(iter_leaves(ConstantBinding(1))) == [("", ConstantBinding(1))]


def test_the_outputs_that_are_read() -> None:
    assert [(item.step, item.output) for item in iter_outputs(NESTED)] == [("load", "result"), ("split", "train")]
