"""MLflow as a projection of the lineage store: it may be down, late or absent, and nothing is lost."""
