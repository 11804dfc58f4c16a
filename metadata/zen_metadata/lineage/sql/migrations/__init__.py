"""Alembic migrations of the lineage store, run by `schema.upgrade`."""
