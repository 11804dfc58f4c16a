"""Artifacts of other runs: found by name once per run, the same for all of its steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from zen_core.contract.bindings import ExternalBinding
from zen_core.errors import ArtifactMissingError, NotFoundError, StoreUnavailableError
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.tables import artifacts
from zen_metadata.shim.workspace import open_workspace


def train(engine, make_code, value, pipeline="churn", step="model"):
    run = engine.run(make_code(step, lambda: value), name=pipeline)
    return run.step(step).output()


def read(make_code, *names, version=None):
    return [
        make_code(f"use_{place}", lambda model: model, model=ExternalBinding(name, version))
        for place, name in enumerate(names)
    ]


def delete(engine, version) -> None:
    url = make_engine(engine.settings.lineage_url)
    with url.begin() as connection:
        values = {"deleted_at": datetime.now(UTC), "deleted_by": "ann", "deleted_reason": "it was wrong"}
        connection.execute(update(artifacts).where(artifacts.c.version == version).values(values))
    url.dispose()


def test_the_latest_version_and_a_certain_one(engine, make_code) -> None:
    first, second = train(engine, make_code, 1), train(engine, make_code, 2)
    steps = read(make_code, "model", "churn/model", "demo/churn/model")
    run = engine.run(*steps, make_code("old", lambda model: model, model=ExternalBinding("model", 1)))
    assert [run.step(f"use_{place}").output().load() for place in range(3)] == [2, 2, 2]
    assert run.step("old").output().load() == 1
    assert run.step("use_0").inputs["model"].artifact_id == second.artifact_id
    assert run.step("old").inputs["model"].digest == first.digest
    graph = engine.client.lineage(run.step("use_0").output(), "up")
    assert second.artifact_id in graph.nodes


def test_the_first_answer_stands_for_the_whole_run(engine, make_code) -> None:
    train(engine, make_code, 1)
    steps = read(make_code, "model", "model")
    engine.begin(*steps)
    engine.start("use_0")
    ours = engine.record, engine.manifest, engine.refs
    train(engine, make_code, 2)
    engine._run, engine._manifest, engine.refs = ours
    other = engine.open()  # another worker
    engine.workspace, mine = other, engine.workspace
    engine.start("use_1")
    engine.workspace = mine
    other.close()
    assert [engine.shown.step(name).output().load() for name in ("use_0", "use_1")] == [1, 1]
    assert engine.run(*read(make_code, "model")).step("use_0").output().load() == 2


def test_a_deleted_version_is_passed_over_but_not_exchanged(engine, make_code) -> None:
    train(engine, make_code, 1)
    train(engine, make_code, 2)
    engine.begin(*read(make_code, "model", "model"))
    engine.start("use_0")
    delete(engine, 2)
    fresh = engine.open()
    engine.workspace, mine = fresh, engine.workspace
    engine.start("use_1")
    error = engine.failures["use_1"]
    assert isinstance(error, ArtifactMissingError)
    assert error.message == "input 'model' is 'model' version 2, which was deleted"
    assert "it was wrong" in str(error)
    assert engine.run(*read(make_code, "model")).step("use_0").output().load() == 1
    delete(engine, 1)
    engine.run(*read(make_code, "model"))
    assert "'model' has no version that is not deleted" in str(engine.failures["use_0"])
    engine.workspace = mine
    fresh.close()


def test_names_that_lead_nowhere(engine, make_code) -> None:
    train(engine, make_code, 1)
    train(engine, make_code, 1, pipeline="fraud")
    engine.run(*read(make_code, "modle", "churn/modle", "model", "shop/churn/model"))
    unknown, scoped, ambiguous, elsewhere = (engine.failures[f"use_{place}"] for place in range(4))
    assert isinstance(unknown, NotFoundError)
    assert unknown.message == "there is no artifact 'modle' in project 'demo'"
    assert "did you mean 'model'" in str(unknown)
    assert "did you mean 'churn/model'" in str(scoped)
    assert ambiguous.message == "there are 2 artifacts named 'model'"
    assert "churn/model, fraud/model" in str(ambiguous)
    assert elsewhere.message == "there is no artifact 'shop/churn/model' in project 'shop'"
    engine.run(*read(make_code, "churn/model", version=7))
    assert "the artifact 'churn/model' has no version 7" in str(engine.failures["use_0"])


def test_without_the_store_no_name_can_be_looked_up(engine, make_code) -> None:
    there = engine.workspace
    engine.workspace = open_workspace(
        replace(engine.settings, lineage_url="postgresql://zen@127.0.0.1:1/zen"), remote=False
    )
    engine.begin(*read(make_code, "model"))
    engine.start("use_0")
    engine.workspace.close()
    engine.workspace = there
    with pytest.raises(StoreUnavailableError, match="is the artifact 'model', and the lineage store is away"):
        raise engine.failures["use_0"]
