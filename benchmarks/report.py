"""Figures, their budgets and what they are compared with, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement; smaller is better.

    Attributes:
        value: in `unit`, as are `budget` and `against`.
        against: what was measured beside it in the same run: the bare limit, or the same work by Zen.
    """

    what: str
    value: float
    unit: str
    budget: float | None = None
    against: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the budget holds."""
        if self.budget is None:
            return ""
        return "ok" if self.value <= self.budget else "OVER"

    @property
    def ratio(self) -> str:
        """How many times what it is compared with."""
        return f"{self.value / self.against:.3g} x" if self.against else ""


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    width = max(len(figure.what) for figure in figures)
    for figure in figures:
        budget = "" if figure.budget is None else f"budget {figure.budget:g} {figure.unit}"
        shown = f"{figure.what:<{width}}  {figure.value:>9.2f} {figure.unit:<3}  {figure.ratio:>8}"
        print(f"{shown}  {budget:<18} {figure.verdict}".rstrip())


def markdown(figures: Sequence[Figure]) -> Iterator[str]:
    """The lines of the same table for a page."""
    yield from ("| what | measured | ratio | budget |", "|---|---|---|---|")
    for figure in figures:
        budget = "" if figure.budget is None else f"{figure.budget:g} {figure.unit}"
        over = " (over)" if figure.verdict == "OVER" else ""
        value = f"{figure.value:,.0f}" if abs(figure.value) >= 1000 else f"{figure.value:.3g}"
        yield f"| {figure.what} | {value} {figure.unit}{over} | {figure.ratio} | {budget} |"
