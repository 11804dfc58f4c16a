"""What a step's code reaches in the project: read from the source, never executed, the same on every machine."""
