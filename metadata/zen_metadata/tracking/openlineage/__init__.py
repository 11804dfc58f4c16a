"""OpenLineage as a projection of the lineage store: events of what is recorded, through the OpenLineage client."""
