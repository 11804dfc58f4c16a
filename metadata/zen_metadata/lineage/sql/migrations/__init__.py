"""Alembic migrations of the lineage store, run by `upgrading.upgrade`."""
