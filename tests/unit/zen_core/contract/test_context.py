"""`current()`, `log_metric` and `log_params`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from zen_core import current, log_metric, log_params
from zen_core.contract.context import StepContext, _current


@pytest.fixture
def running(tmp_path: Path) -> Iterator[StepContext]:
    context = StepContext("r", "churn", "train", 1, None, scratch_factory=lambda: tmp_path)
    token = _current.set(context)
    yield context
    _current.reset(token)


def test_a_running_step_knows_who_it_is(running: StepContext, tmp_path: Path) -> None:
    assert current() is running
    assert current().scratch == tmp_path


def test_metrics_and_params_are_kept_in_order(running: StepContext) -> None:
    log_metric("loss", 2, step=1)
    log_metric("loss", 0.5, step=2)
    log_params({"depth": 4})
    log_params({"depth": 5, "rate": 0.1})
    assert running.metrics == [("loss", 2.0, 1), ("loss", 0.5, 2)]
    assert running.params == {"depth": 5, "rate": 0.1}


def test_outside_a_run_logging_does_nothing_and_current_says_so() -> None:
    log_metric("loss", 1)
    log_params({"a": 1})
    with pytest.raises(RuntimeError, match="outside a running step"):
        current()
