"""Cleaning up: what nothing refers to, what is old, and what is to be forgotten."""
