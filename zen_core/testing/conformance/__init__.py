"""The suite that every adapter passes. `pytest --pyargs zen_core.testing.conformance` runs it for all installed."""
