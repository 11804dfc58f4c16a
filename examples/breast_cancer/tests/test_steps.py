"""The steps are plain functions: called here as such, with no run around them."""

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from zen_core import File

from diagnosis.features import features, is_malignant
from diagnosis.schema import DataError, validate
from make_data import TARGET, render
from pipelines.training import evaluate, fit_forest, fit_logistic, load, pick, report, split


@pytest.fixture(scope="module")
def measurements() -> pd.DataFrame:
    return load(File(TARGET))


@pytest.fixture(scope="module")
def parts(measurements: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return split(measurements)


def test_the_committed_file_is_what_the_script_writes() -> None:
    assert TARGET.read_text(encoding="utf-8") == render()


def test_the_committed_file_is_usable(measurements: pd.DataFrame) -> None:
    assert len(measurements) == 569
    assert is_malignant(measurements).sum() == 212


def test_every_problem_of_a_file_is_named_with_its_line(measurements: pd.DataFrame) -> None:
    broken = measurements.copy()
    broken.loc[0, "diagnosis"] = "unknown"
    broken.loc[1, "mean_radius"] = -1
    broken.loc[2, "mean_area"] = float("nan")
    with pytest.raises(DataError) as caught:
        validate(broken)
    assert str(caught.value).splitlines()[1:] == [
        "- diagnosis must be benign or malignant: line 2",
        "- mean_radius is negative: line 3",
        "- mean_area is empty or not a number: line 4",
    ]


def test_a_missing_column_is_named(measurements: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="missing columns: worst_area"):
        validate(measurements.drop(columns="worst_area"))


def test_split_keeps_every_row_once_and_the_shares(
    measurements: pd.DataFrame, parts: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    train, test = parts
    assert len(train) + len(test) == len(measurements)
    assert is_malignant(train).mean() == pytest.approx(is_malignant(test).mean(), abs=0.01)


def test_a_circle_has_roundness_one(measurements: pd.DataFrame) -> None:
    circle = measurements.head(1).assign(mean_area=3.1416 * 9, mean_perimeter=2 * 3.1416 * 3)
    assert features(circle)["mean_roundness"].item() == pytest.approx(1, abs=1e-3)


def test_both_models_learn_and_the_better_one_is_reported(parts: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = parts
    models = {"forest": fit_forest(train), "logistic": fit_logistic(train)}
    scores = {name: evaluate(model, test) for name, model in models.items()}
    assert all(score["roc_auc"] > 0.95 for score in scores.values())

    best, winner = pick(models, scores)
    assert best is models[winner]
    assert scores[winner]["recall"] == max(score["recall"] for score in scores.values())

    text = report(winner, scores).path.read_text(encoding="utf-8")
    assert f"<strong>{winner}</strong>" in text
    assert "data:image/png;base64," in text
    assert text == report(winner, scores).path.read_text(encoding="utf-8")


def test_the_same_data_give_the_same_model(parts: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = parts
    first, second = (evaluate(fit_forest(train, depth=3), test) for _ in range(2))
    assert first == second


def test_pick_prefers_the_model_that_misses_fewer() -> None:
    models = {"careful": LogisticRegression(), "precise": LogisticRegression()}
    careful = {"recall": 0.99, "roc_auc": 0.90, "accuracy": 0.9, "confusion": [], "roc_curve": []}
    precise = {"recall": 0.90, "roc_auc": 0.99, "accuracy": 0.99, "confusion": [], "roc_curve": []}
    assert pick(models, {"careful": careful, "precise": precise})[1] == "careful"
