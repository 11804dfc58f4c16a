"""Helpers of helpers."""


def trim(text: str) -> str:
    """Without spaces around it."""
    # what a person sees
    return text.strip()


def shout(text: str) -> str:
    return text.upper()
