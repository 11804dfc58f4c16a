"""What the pipelines of this project share: the data's schema, its features, the report."""
