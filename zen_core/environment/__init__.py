"""What a step ran in: a snapshot of Python, packages, platform, code version and devices. Standard library only."""
