"""Every rule of what a pipeline means, on every engine: the outcome that is written down, and one lineage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from integration_tests.airflow.zen import Project
from integration_tests.equivalence.conftest import MeaningTable
from integration_tests.equivalence.engines import Engine, PipelineRun, run_on
from integration_tests.equivalence.test_one_truth import fresh_stores
from zen_core.adapter.registry import load_adapter
from zen_core.testing.lineage import canonical_lineage, first_difference
from zen_core.testing.meaning import MEANINGS, PIPELINES, Meaning, find_differences

Documents = Mapping[str, Mapping[str, Any]]
"""By the case's label."""


@pytest.fixture(scope="module")
def documents(engines: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Documents]:
    """All cases on each engine, each engine with stores of its own."""
    found: dict[str, Documents] = {}
    for name, engine in engines.items():
        folder = tmp_path_factory.mktemp("meaning")
        (folder / "zen.toml").write_text(f'project = "meaning"\n{getattr(engine, "settings", "")}')
        (folder / "meaning.py").write_bytes(PIPELINES.read_bytes())
        project = Project(folder, fresh_stores(folder))
        cases = [meaning for meaning in MEANINGS if can_run(engine, meaning)]
        runs = [PipelineRun(f"meaning.py:{case.name}", case.parameters) for case in cases]
        found[name] = dict(zip((case.label for case in cases), run_on(engine, project, runs), strict=True))
    return found


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: meaning.label)
def test_every_engine_makes_the_same_of_it(
    meaning: Meaning, documents: dict[str, Documents], meaning_table: MeaningTable
) -> None:
    wrong = {}
    reference = canonical_lineage(documents["local"][meaning.label])
    for engine, made in documents.items():
        if meaning.label not in made:
            meaning_table.add(meaning.label, engine, "-")
            continue
        found = find_differences(meaning, made[meaning.label])
        difference = first_difference(canonical_lineage(made[meaning.label]), reference)
        found += [f"lineage: {difference}"] if difference else []
        meaning_table.add(meaning.label, engine, "differs" if found else "same")
        if found:
            wrong[engine] = found
    assert wrong == {}


def can_run(engine: Engine, meaning: Meaning) -> bool:
    """Whether the target has all that the case needs; what it lacks it refuses, which the static tier tests.

    An engine whose runs are dear names the `cases` that tell something of it; with `ZEN_TEST_ALL_CASES=1` all are run.
    """
    if not os.environ.get("ZEN_TEST_ALL_CASES") and meaning.label not in getattr(engine, "cases", {meaning.label}):
        return False
    adapter = load_adapter(engine.target)
    table = adapter.support(adapter.options_model())
    return all(table[feature].level != "unsupported" for feature in meaning.needs)
