"""A relative import, and one by another name."""

from .text.words import trim as cut


def tidy(text: str) -> str:
    return cut(text).capitalize()
