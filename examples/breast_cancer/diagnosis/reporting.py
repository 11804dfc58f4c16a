"""The report: one HTML file that needs nothing beside it."""

import base64
import html
from io import BytesIO
from typing import TypedDict


class Scores(TypedDict):
    """How a model does on rows that it has not seen."""

    accuracy: float
    recall: float
    roc_auc: float
    confusion: list[list[int]]
    """Rows: truly benign, truly malignant; columns: called benign, called malignant."""
    roc_curve: list[tuple[float, float]]
    """False and true positive rates."""


_STYLE = "body{font:16px sans-serif;margin:2rem auto;max-width:46rem}td,th{padding:.3rem .9rem;text-align:right}"


def render_report(winner: str, scores_by_model: dict[str, Scores]) -> str:
    """The report's text. The same scores give the same text."""
    rows = "\n".join(_table_row(name, scores, is_best=name == winner) for name, scores in scores_by_model.items())
    plot = base64.b64encode(_plot(scores_by_model)).decode("ascii")
    benign, malignant = scores_by_model[winner]["confusion"]
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Tumour diagnosis</title><style>{_STYLE}</style></head>
<body>
<h1>Tumour diagnosis</h1>
<p>The model to use is <strong>{html.escape(winner)}</strong>. Of {sum(malignant)} malignant tumours that it had
not seen, it missed {malignant[0]}; of {sum(benign)} benign ones, it called {benign[1]} malignant.</p>
<table>
<tr><th>model</th><th>accuracy</th><th>recall</th><th>area under the curve</th></tr>
{rows}
</table>
<p><img alt="ROC curves" src="data:image/png;base64,{plot}"></p>
</body>
</html>
"""


def _table_row(name: str, scores: Scores, *, is_best: bool) -> str:
    label = f"<strong>{html.escape(name)}</strong>" if is_best else html.escape(name)
    numbers = "".join(f"<td>{scores[key]:.3f}</td>" for key in ("accuracy", "recall", "roc_auc"))
    return f"<tr><td>{label}</td>{numbers}</tr>"


def _plot(scores_by_model: dict[str, Scores]) -> bytes:
    from matplotlib.figure import Figure  # takes a second to import, and only this needs it

    # A figure of its own, not pyplot's: no display is needed, and steps may run in threads.
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="false positive rate", ylabel="true positive rate", title="ROC curves")
    for name, scores in scores_by_model.items():
        false_positives, true_positives = zip(*scores["roc_curve"], strict=True)
        axes.plot(false_positives, true_positives, label=f"{name} ({scores['roc_auc']:.3f})")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.legend(loc="lower right")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
