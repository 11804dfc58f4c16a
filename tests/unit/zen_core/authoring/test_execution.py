"""`pipeline.run(...)`: the embedded engine, and what comes back."""

from pathlib import Path

import pytest

from zen_core import pipeline, step
from zen_core.errors import DefinitionError, ParameterError


class TooDeep(Exception):
    pass


@step
def double(value: int) -> int:
    if value > 100:
        raise TooDeep(value)
    return value * 2


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def doubles(value: int = 1) -> None:
    total([double(value), double(5)])


@pytest.fixture(autouse=True)
def _stores_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEN_LINEAGE_URL", f"sqlite:///{tmp_path / 'zen.db'}")
    monkeypatch.setenv("ZEN_ARTIFACT_URL", str(tmp_path / "artifacts"))
    monkeypatch.setenv("ZEN_MLFLOW_SYNC", "off")
    monkeypatch.delenv("ZEN_STACK", raising=False)


def test_a_run_comes_back_as_it_was_recorded() -> None:
    run = doubles.run(value=4)
    assert run.status == "completed"
    assert run.pipeline == "doubles"
    assert run.step("total").output("result").load() == 18


def test_the_users_exception_is_raised_unchanged() -> None:
    with pytest.raises(TooDeep) as caught:
        doubles.run(value=101)
    assert caught.value.args == (101,)


def test_a_wrong_parameter_is_told_before_anything_runs() -> None:
    with pytest.raises(ParameterError, match="no parameter 'valu'"):
        doubles.run(valu=1)


def test_a_wrong_definition_is_told_before_anything_runs() -> None:
    @pipeline
    def wrong() -> None:
        double("4")

    with pytest.raises(DefinitionError, match="step 'double' takes 'value' as int"):
        wrong.run()


def test_steps_of_a_nested_function_run_too() -> None:
    offset = 3

    @step
    def shift(value: int) -> int:
        return value + offset

    @pipeline
    def shifted(value: int = 1) -> None:
        shift(value)

    assert shifted.run(value=4).step("shift").output("result").load() == 7
