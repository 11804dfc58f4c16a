"""From the IR to what a target runs: feature check, emission, manifest and code bundle."""
