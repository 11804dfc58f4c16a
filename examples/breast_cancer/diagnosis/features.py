"""From measurements to what a model learns from."""

import pandas as pd

from diagnosis.schema import LABEL, MALIGNANT, MEASUREMENTS


def features(measurements: pd.DataFrame) -> pd.DataFrame:
    """The measurements, and how far the outline of a nucleus is from a circle."""
    table = measurements.loc[:, list(MEASUREMENTS)].astype(float)
    for kind in ("mean", "worst"):
        table[f"{kind}_roundness"] = 12.566 * table[f"{kind}_area"] / table[f"{kind}_perimeter"] ** 2
    return table


def is_malignant(measurements: pd.DataFrame) -> pd.Series:
    """The label as a model takes it: 1 is malignant."""
    return (measurements[LABEL] == MALIGNANT).astype(int)
