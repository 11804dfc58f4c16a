"""What runs inside a task: everything between the orchestrator's call and the user's function.

Imports the standard library and `zen_core.contract` at import time, nothing more; the stores come in when they are
opened.
"""
