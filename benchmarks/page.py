"""Writes the figures of a run into docs/explanation/performance.md, between its marks, and draws the comparison."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.comparison import FRAMEWORKS, SHAPES
from benchmarks.report import Figure, markdown

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "performance.md"
CHART = PAGE.with_name("performance.svg")


def write(figures_by_subject: dict[str, Sequence[Figure]]) -> None:
    """Replace what stands between the marks of each subject that was measured; the others stay."""
    text = PAGE.read_text(encoding="utf-8")
    for subject, figures in figures_by_subject.items():
        text = _between(text, subject, markdown(figures))
    machine = f"Python {platform.python_version()}, {platform.machine()}, best of several repetitions."
    PAGE.write_text(_between(text, "machine", [machine]), encoding="utf-8")
    if "comparison" in figures_by_subject:
        _draw(figures_by_subject["comparison"])


def _between(text: str, subject: str, lines: Iterable[str]) -> str:
    begin, end = f"<!-- {subject} -->\n", f"<!-- end of {subject} -->"
    if begin not in text:
        return text  # a subject that the page does not show
    head, _, rest = text.partition(begin)
    return "".join((head, begin, *(f"{line}\n" for line in lines), end, rest.partition(end)[2]))


def _draw(figures: Sequence[Figure]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "zen"  # the same figures, the same bytes
    from matplotlib import pyplot

    found = {figure.what: figure.value for figure in figures}
    names = [item.name for item in FRAMEWORKS if any(what.startswith(f"{item.name}:") for what in found)]
    drawing, axes = pyplot.subplots(figsize=(8, 4))
    for number, shown in enumerate(SHAPES.values()):
        values = [found.get(f"{name}: step executed, {shown}", 0.0) for name in names]
        places = [place + (number - 1) * 0.27 for place in range(len(names))]
        axes.bar(places, values, width=0.25, label=f"executed, {shown}")
        reused = [(at, found.get(f"{name}: step cached, {shown}")) for at, name in zip(places, names, strict=True)]
        known = [(at, value) for at, value in reused if value is not None]
        label = "cached" if number == len(SHAPES) - 1 else None
        axes.scatter([at for at, _ in known], [value for _, value in known], color="black", s=14, zorder=3, label=label)
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds a step")
    axes.set_xticks(range(len(names)), names)
    axes.legend(fontsize=8)
    drawing.savefig(CHART, metadata={"Date": None})
    pyplot.close(drawing)
