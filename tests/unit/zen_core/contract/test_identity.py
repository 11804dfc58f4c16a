"""Who a run and a step run are."""

from dataclasses import replace

import pytest

from zen_core.contract.identity import RunIdentity, artifact_id, step_run_id

RUN = RunIdentity("shop", "prod", "churn", "manual__2026-01-31T00:00:00+00:00")


def test_the_same_run_has_the_same_id_in_each_task() -> None:
    assert replace(RUN).run_id == RUN.run_id
    assert RUN.run_id == "48926566-ad77-5602-a2e9-748f2f78cdea"


@pytest.mark.parametrize("part", ["project", "deployment", "pipeline", "run_key"])
def test_each_part_makes_another_run(part: str) -> None:
    assert replace(RUN, **{part: "other"}).run_id != RUN.run_id


def test_parts_do_not_run_into_one_another() -> None:
    assert RunIdentity("a", "bc", "d", "e").run_id != RunIdentity("ab", "c", "d", "e").run_id


def test_step_runs_and_artifacts() -> None:
    ids = [step_run_id(RUN.run_id, "a"), step_run_id(RUN.run_id, "a", 0), step_run_id(RUN.run_id, "a", 1)]
    ids += [step_run_id(RUN.run_id, "b"), artifact_id(ids[0], "model"), artifact_id(ids[0], "score")]
    assert len(set(ids)) == len(ids)
    assert step_run_id(RUN.run_id, "a", 1) == ids[2]
