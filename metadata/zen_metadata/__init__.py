"""Run time and after: the shim inside tasks, the stores, the projections, and the read side."""
