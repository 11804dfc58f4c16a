"""The IR: a pipeline as frozen, closed, versioned data that knows no orchestrator."""
