"""Reading IR documents."""

from typing import Any

import pytest

from zen_core.errors import DefinitionError
from zen_core.ir.specs import CacheSpec, PipelineSpec, StepSpec
from zen_core.ir.upgrade import read_ir

SPEC = PipelineSpec(
    name="p", steps=(StepSpec(name="a", entry_point="m:a", cache=CacheSpec(enabled=False), timeout_seconds=3.0),)
)


def test_a_document_of_this_version_is_read_as_it_is() -> None:
    assert read_ir(SPEC.to_json()) == SPEC


def test_a_newer_version_says_to_upgrade() -> None:
    with pytest.raises(DefinitionError) as caught:
        read_ir({**SPEC.to_json(), "ir_version": 7}, where="p.ir.json")
    (problem,) = caught.value.diagnostics
    assert problem.message == "the document is of IR version 7, this Zen reads versions up to 1"
    assert (problem.where, problem.hint) == ("p.ir.json", "upgrade zen-core")


@pytest.mark.parametrize("document", [{}, {"ir_version": "1"}, {"ir_version": True}, {"ir_version": 0}])
def test_what_is_no_ir_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="the document is no IR: its ir_version is"):
        read_ir(document)


def test_a_damaged_document_tells_every_problem() -> None:
    document = SPEC.to_json()
    document["steps"][0]["colour"] = "blue"
    del document["steps"][0]["cache"]
    with pytest.raises(DefinitionError) as caught:
        read_ir(document)
    assert [problem.message.partition(": ")[2] for problem in caught.value.diagnostics] == [
        "steps.0.cache: Field required",
        "steps.0.colour: Extra inputs are not permitted",
    ]
