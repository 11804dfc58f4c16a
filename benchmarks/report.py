"""Figures and their budgets, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement. `value` and `budget` are in `unit`; smaller is better."""

    what: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the budget holds."""
        if self.budget is None:
            return ""
        return "ok" if self.value <= self.budget else "OVER"


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    width = max(len(figure.what) for figure in figures)
    for figure in figures:
        budget = "" if figure.budget is None else f"budget {figure.budget:g} {figure.unit}"
        print(f"{figure.what:<{width}}  {figure.value:>9.2f} {figure.unit:<3}  {budget:<18} {figure.verdict}".rstrip())
