"""A package with a docstring
    that is indented."""

from .inner import starred

__all__ = ["COLUMNS", "starred"]

COLUMNS = [index for index in range(3)][1]
