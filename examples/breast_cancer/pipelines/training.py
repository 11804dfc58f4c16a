"""Trains two models on measurements of tumours, and reports which one to use.

zen run pipelines/training.py:breast_cancer
zen run pipelines/training.py:breast_cancer --param depth=3
"""

import tempfile
from pathlib import Path
from typing import Annotated

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from zen_core import File, Retry, Schedule, log_metric, pipeline, step

from diagnosis.features import features, is_malignant
from diagnosis.reporting import Scores, render_report
from diagnosis.schema import LABEL, validate


@step(retry=Retry(times=2, delay="10s"))
def load(data: File) -> Annotated[pd.DataFrame, "measurements"]:
    """Read the table, and refuse one that cannot be right."""
    return validate(pd.read_csv(data))


@step
def split(
    measurements: pd.DataFrame, test_share: float = 0.25, seed: int = 7
) -> tuple[Annotated[pd.DataFrame, "train"], Annotated[pd.DataFrame, "test"]]:
    """Put rows aside that no model sees, with the same share of each diagnosis."""
    train, test = train_test_split(measurements, test_size=test_share, random_state=seed, stratify=measurements[LABEL])
    return train.reset_index(drop=True), test.reset_index(drop=True)


@step
def fit_logistic(train: pd.DataFrame, strength: float = 1.0) -> Annotated[Pipeline, "logistic_model"]:
    """A logistic regression; a larger strength fits the data more closely."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1_000))
    return model.fit(features(train), is_malignant(train))


@step
def fit_forest(train: pd.DataFrame, depth: int = 6, seed: int = 7) -> Annotated[RandomForestClassifier, "forest_model"]:
    """A random forest."""
    model = RandomForestClassifier(n_estimators=80, max_depth=depth, random_state=seed)
    return model.fit(features(train), is_malignant(train))


@step
def evaluate(model: BaseEstimator, test: pd.DataFrame) -> Annotated[Scores, "scores"]:
    """How a model does on the rows that were put aside."""
    truth = is_malignant(test)
    probability = model.predict_proba(features(test))[:, 1]
    called = probability >= 0.5
    false_positives, true_positives, _ = roc_curve(truth, probability)
    scores = Scores(
        accuracy=float(accuracy_score(truth, called)),
        recall=float(recall_score(truth, called)),
        roc_auc=float(roc_auc_score(truth, probability)),
        confusion=confusion_matrix(truth, called).tolist(),
        roc_curve=[(float(false), float(true)) for false, true in zip(false_positives, true_positives, strict=True)],
    )
    for name in ("accuracy", "recall", "roc_auc"):
        log_metric(name, scores[name])
    return scores


@step
def pick(
    models: dict[str, BaseEstimator], scores: dict[str, Scores]
) -> tuple[Annotated[BaseEstimator, "best_model"], Annotated[str, "winner"]]:
    """The model that misses the fewest malignant tumours; then the one that is right more often."""
    winner = max(sorted(models), key=lambda name: (scores[name]["recall"], scores[name]["roc_auc"]))
    return models[winner], winner


@step
def report(winner: str, scores: dict[str, Scores]) -> Annotated[File, "report"]:
    """The numbers and the curves of all models, as one HTML file."""
    path = Path(tempfile.mkdtemp(prefix="report-"), "report.html")
    path.write_text(render_report(winner, scores), encoding="utf-8")
    return File(path)


@pipeline(schedule=Schedule(cron="0 6 * * 1", timezone="Europe/Berlin"), tags=["diagnosis"])
def breast_cancer(
    data: File = File("data/tumours.csv"), test_share: float = 0.25, strength: float = 1.0, depth: int = 6
):
    """Train a logistic regression and a random forest, compare them, and report on the better one."""
    parts = split(load(data), test_share=test_share)
    logistic = fit_logistic(parts.train, strength=strength)
    forest = fit_forest(parts.train, depth=depth)
    scores = {
        "logistic": evaluate.with_options(name="evaluate_logistic")(logistic, parts.test),
        "forest": evaluate.with_options(name="evaluate_forest")(forest, parts.test),
    }
    best = pick({"logistic": logistic, "forest": forest}, scores)
    report(best.winner, scores)
