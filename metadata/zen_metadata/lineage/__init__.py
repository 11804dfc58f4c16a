"""The lineage store: the one truth about runs, steps, artifacts and cache."""
