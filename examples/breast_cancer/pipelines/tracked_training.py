"""The same project with MLflow used by the steps themselves: what they log lands in the step's own MLflow run.

zen run pipelines/tracked_training.py:tuned_breast_cancer
"""

from typing import Annotated

import mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from zen_core import File, pipeline, step

from diagnosis.features import features, is_malignant
from pipelines.training import evaluate, load, split


@step(timeout="10m")
def tune(train: pd.DataFrame, strengths: list[float]) -> Annotated[float, "strength"]:
    """Try several strengths by cross-validation; each one shows in MLflow as soon as it is tried."""
    best_strength, best_score = strengths[0], 0.0
    for number, strength in enumerate(strengths):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1_000))
        score = float(cross_val_score(model, features(train), is_malignant(train), scoring="roc_auc").mean())
        mlflow.log_metrics({"strength": strength, "cv_roc_auc": score}, step=number)
        if score > best_score:
            best_strength, best_score = strength, score
    return best_strength


@step
def fit_logged(train: pd.DataFrame, strength: float) -> Annotated[Pipeline, "tuned_model"]:
    """A logistic regression that MLflow's autologging watches."""
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    with mlflow.start_run():
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1_000))
        return model.fit(features(train), is_malignant(train))


@pipeline(tags=["diagnosis"])
def tuned_breast_cancer(data: File = File("data/tumours.csv")):
    """Choose the strength of a logistic regression by cross-validation, and evaluate it."""
    parts = split(load(data))
    strength = tune(parts.train, strengths=[0.01, 0.1, 1.0, 10.0])
    model = fit_logged(parts.train, strength)
    evaluate(model, parts.test)
