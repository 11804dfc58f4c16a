"""Carrying lineage from one store to another: `zen store export`, `zen store import`."""
