"""Changes each part of each node of some files' syntax, and prints which changes do not show in Zen's form of them."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zen_core.compiler.code.reading import read_code

NOT_COUNTED = {"ctx", "kind", "type_comment", "type_ignores"}
OTHERS = {
    ast.boolop: (ast.And, ast.Or),
    ast.operator: (ast.Add, ast.Sub),
    ast.unaryop: (ast.Not, ast.USub),
    ast.cmpop: (ast.Eq, ast.NotEq),
}


def others(value: Any) -> Iterator[Any]:
    """Other values for a field."""
    if isinstance(value, list) and value:
        if getattr(value[-1], "value", None) != "":  # 3.12 has empty pieces of text in f-strings
            yield value[:-1]
        if getattr(value[0], "value", None) != "":
            yield [*value, value[0]]
    elif isinstance(value, str):
        yield f"{value}x"
    elif isinstance(value, int):
        yield not value
    elif isinstance(value, ast.expr):
        yield ast.Name("a_name_of_its_own", ast.Load())
    for base, (one, two) in OTHERS.items():
        if isinstance(value, base):
            yield two() if isinstance(value, one) else one()


def main(*files: str) -> None:
    """Each file's statements, one by one."""
    unseen: list[str] = []
    kinds: set[str] = set()
    changes = 0
    for file in files:
        for statement in ast.parse(Path(file).read_text()).body:
            form = read_code([statement]).form
            for node in ast.walk(statement):
                kinds.add(type(node).__name__)
                for field in node._fields:
                    value = getattr(node, field, None)
                    for other in others(value) if field not in NOT_COUNTED else ():
                        setattr(node, field, other)
                        changes += 1
                        if read_code([statement]).form == form:
                            unseen.append(f"{type(node).__name__}.{field}: {value!r}, {other!r}")
                        setattr(node, field, value)
    bases = [getattr(ast, name, ast.Pass) for name in ("stmt", "expr", "pattern", "excepthandler", "type_param")]
    missing = {kind.__name__ for base in bases for kind in base.__subclasses__() if kind._fields} - kinds
    print(json.dumps({"unseen": unseen, "changes": changes, "missing": sorted(missing)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
