"""Prints the fingerprints of a project's functions, as the Python that runs this makes them. Needs no package."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import FunctionType

from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.fingerprint import fingerprint_step


def _is_own(value: object, module: str) -> bool:
    return isinstance(value, FunctionType) and value.__module__ == module


def main(folder: str, *modules: str) -> None:
    """The digest of each function of these modules that lie in the folder, and of those in their CLOSED."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    roots = ImportRoots((Path(folder),))
    found = {}
    for name in modules:
        module = importlib.import_module(name)
        functions = {key: value for key, value in vars(module).items() if _is_own(value, name)}
        functions |= {f"closes over: {key}": value for key, value in vars(module).get("CLOSED", {}).items()}
        for key, function in functions.items():
            fingerprint = fingerprint_step(function, roots=roots)
            found[f"{name}:{key}"] = {
                "digest": fingerprint.digest,
                "scope": fingerprint.scope,
                "imports": list(fingerprint.imports),
                "definitions": {item.name: [item.digest, item.kind, *item.lines] for item in fingerprint.definitions},
                "unfollowed": [[place.what, place.file, place.line] for place in fingerprint.unfollowed],
            }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
