"""What crosses into a task: manifest, refs, identity, cache key. Standard library only, and versioned."""
