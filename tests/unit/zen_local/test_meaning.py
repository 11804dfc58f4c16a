"""What each pipeline means, on the embedded engine; the other engines are compared with it."""

from typing import Any

import pytest

from zen_core.testing.meaning import MEANINGS, PIPELINES, Meaning, find_differences


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: meaning.label)
def test_a_pipeline_comes_to_what_is_written_down(bench: Any, meaning: Meaning) -> None:
    bench.copy(PIPELINES)
    outcome = bench.execute(meaning.name, **meaning.parameters)
    assert find_differences(meaning, bench.document(outcome.run_id)) == []


@pytest.mark.parametrize(
    "meaning",
    [meaning for meaning in MEANINGS if meaning.label in ("branch_taken", "element_fails", "chain_in_chunks")],
    ids=lambda meaning: meaning.label,
)
def test_one_step_after_another_comes_to_the_same(bench: Any, meaning: Meaning) -> None:
    bench.copy(PIPELINES)
    outcome = bench.execute(meaning.name, {"debug": True}, **meaning.parameters)
    assert find_differences(meaning, bench.document(outcome.run_id)) == []
