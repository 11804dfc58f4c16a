"""What an adapter is tested with: pipelines of every shape, a conformance suite, and canonical lineage."""
