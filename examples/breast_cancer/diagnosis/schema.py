"""What the table of measurements must look like."""

from collections.abc import Iterator

import pandas as pd

BENIGN, MALIGNANT = "benign", "malignant"
LABEL = "diagnosis"

_QUANTITIES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
MEASUREMENTS = tuple(
    [f"mean_{name}" for name in _QUANTITIES]
    + [f"{name}_error" for name in _QUANTITIES]
    + [f"worst_{name}" for name in _QUANTITIES]
)
# Far beyond anything measured: they catch swapped columns and wrong units, not unusual patients.
_LARGEST = {"mean_radius": 60, "mean_perimeter": 400, "mean_area": 6_000, "mean_smoothness": 1, "mean_symmetry": 1}


class DataError(ValueError):
    """The data are not what the model may be trained on. Lists every problem, with the lines in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the measurements cannot be used:\n" + "\n".join(f"- {problem}" for problem in problems))


def validate(measurements: pd.DataFrame) -> pd.DataFrame:
    """The same table, if every column is there and every value possible; else a DataError with all problems."""
    missing = [name for name in (LABEL, *MEASUREMENTS) if name not in measurements]
    if missing:
        raise DataError([f"missing columns: {', '.join(missing)}"])
    problems = list(_find_problems(measurements))
    if problems:
        raise DataError(problems)
    return measurements


def _find_problems(measurements: pd.DataFrame) -> Iterator[str]:
    unknown = ~measurements[LABEL].isin([BENIGN, MALIGNANT])
    if unknown.any():
        yield f"{LABEL} must be {BENIGN} or {MALIGNANT}: {_lines(unknown)}"
    elif measurements[LABEL].nunique() < 2:
        yield f"all rows have the same {LABEL}: nothing can be learned from them"
    for name in MEASUREMENTS:
        values = pd.to_numeric(measurements[name], errors="coerce")
        if values.isna().any():
            yield f"{name} is empty or not a number: {_lines(values.isna())}"
        if (values < 0).any():
            yield f"{name} is negative: {_lines(values < 0)}"
        largest = _LARGEST.get(name)
        if largest is not None and (values > largest).any():
            yield f"{name} is larger than {largest}: {_lines(values > largest)}"


def _lines(mask: pd.Series) -> str:
    """The lines of the file that a mask points at; the first line of the file is the header."""
    lines = [str(position + 2) for position in range(len(mask)) if mask.iloc[position]]
    shown = ", ".join(lines[:5])
    return f"line {shown}" if len(lines) <= 5 else f"lines {shown} and {len(lines) - 5} more"
