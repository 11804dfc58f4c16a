"""Writes data/tumours.csv from the data set that scikit-learn brings along: the same bytes each time.

The file is committed; this script says where it comes from. Source: Wolberg, Mangasarian, Street and Street,
"Breast Cancer Wisconsin (Diagnostic)", UCI Machine Learning Repository, 1995 (CC BY 4.0).
"""

from pathlib import Path

from sklearn.datasets import load_breast_cancer

TARGET = Path(__file__).parent / "data" / "tumours.csv"


def render() -> str:
    dataset = load_breast_cancer(as_frame=True)
    table = dataset.data.rename(columns=lambda name: name.replace(" ", "_"))
    table.insert(0, "diagnosis", dataset.target.map(dict(enumerate(dataset.target_names))))
    return table.to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8", newline="\n")
