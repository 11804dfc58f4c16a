"""Hands on what its modules define."""

from .cleaning import tidy

__all__ = ["tidy"]
