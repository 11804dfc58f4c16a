"""The name of a type as people write it: `pandas.DataFrame`, `sklearn.ensemble.RandomForestClassifier`, `int`."""

from __future__ import annotations

import sys


def type_name(kind: type) -> str:
    """The shortest public module that has the class under its name; a built-in class has no module."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    parts = kind.__module__.split(".")
    for length in range(1, len(parts)):
        module = ".".join(parts[:length])
        if getattr(sys.modules.get(module), kind.__qualname__, None) is kind:
            return f"{module}.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"
