"""Hands a pipeline over."""
