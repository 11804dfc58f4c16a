"""What `zen plan` foresees is what a run then does: for each pipeline that says what pipelines mean."""

from __future__ import annotations

from typing import Any

import pytest

from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.testing.meaning import MEANINGS, PIPELINES, Meaning
from zen_metadata.query.plan import Plan
from zen_metadata.query.planner import make_plan

EXECUTED = {"completed", "failed", "upstream_failed"}
COMES_TO = {
    "cached": {"cached"},
    "run": EXECUTED,
    "skipped": {"skipped", "upstream_failed"},  # where a step that runs fails, that wins
    "fails": {"failed", "upstream_failed"},
    "depends": {"cached", "skipped", *EXECUTED},
}


def plan(bench: Any, name: str, refresh: frozenset[str], parameters: dict[str, Any]) -> Plan:
    settings = bench.settings
    built = load_pipeline(f"{bench.module}:{name}", settings).build()
    manifest = build_manifest(built.spec, built.functions, settings)
    return make_plan(manifest, settings, parameters=parameters, refresh=refresh)


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: meaning.label)
def test_a_run_does_what_was_planned(bench: Any, meaning: Meaning) -> None:
    bench.copy(PIPELINES)
    bench.execute(meaning.name, **meaning.parameters)
    first = plan(bench, meaning.name, frozenset(), dict(meaning.parameters)).steps
    told_to_run = next(step.name for step in first if step.kind == "step")
    for refresh in (frozenset[str](), frozenset({told_to_run})):
        planned = plan(bench, meaning.name, refresh, dict(meaning.parameters))
        outcome = bench.execute(meaning.name, {"refresh": refresh}, **meaning.parameters)
        came_to = bench.labels(outcome.run_id)
        for step in planned.steps:
            if step.kind != "step":
                continue
            label = step.name if step.map_index is None else f"{step.name}[{step.map_index}]"
            statuses = {came_to[label]} if label in came_to else statuses_of(came_to, step.name)
            expected = COMES_TO[step.action] | ({"completed"} if step.reason == "the list is empty" else set())
            assert statuses <= expected, f"{label}: {step.action} ({step.reason}) came to {statuses}"


def statuses_of(labels: dict[str, str], name: str) -> set[str]:
    """The statuses of all elements of a map that the plan could not lay out."""
    return {status for label, status in labels.items() if label.startswith(f"{name}[")}


def test_artifacts_of_other_runs_and_secrets_are_looked_up(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAN_PASSWORD", "hunter22")
    bench.write("""
    from zen_core import Artifact

    @step
    def make(n: int) -> Annotated[int, "model"]:
        return n

    @step
    def use(model: int, password: str) -> int:
        return model

    @pipeline
    def maker(n: int = 1):
        make(n)

    @pipeline
    def user():
        use(Artifact("maker/model"), Secret("PLAN_PASSWORD"))
    """)
    (missing,) = plan(bench, "user", frozenset(), {}).steps
    assert (missing.action, missing.reason) == ("fails", "there is no artifact 'maker/model' in project 'bench'")
    bench.run("maker")
    (first,) = plan(bench, "user", frozenset(), {}).steps
    assert (first.action, first.reason) == ("run", "first run")
    bench.run("user")
    (again,) = plan(bench, "user", frozenset(), {}).steps
    assert again.action == "cached"
    bench.run("maker", n=2)
    (changed,) = plan(bench, "user", frozenset(), {}).steps
    assert (changed.action, changed.reason) == ("run", "input model changed")
    assert bench.statuses("user") == {"use": "completed"}
