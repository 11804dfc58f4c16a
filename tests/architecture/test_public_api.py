"""What users import: a change here is a change for them, and stands in CHANGELOG.md."""

import inspect
import os
from pathlib import Path

import zen_core

SNAPSHOT = Path(__file__).with_name("public_api.txt")


def _describe(name: str) -> str:
    value = getattr(zen_core, name)
    if not callable(value):
        return name
    signature = inspect.signature(value)
    parameters = [item.replace(annotation=inspect.Parameter.empty) for item in signature.parameters.values()]
    return f"{name}{signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)}"


def test_the_public_names_and_their_parameters_are_as_promised() -> None:
    found = "".join(f"{_describe(name)}\n" for name in sorted(zen_core.__all__))
    if os.environ.get("ZEN_UPDATE_GOLDEN"):
        SNAPSHOT.write_text(found, encoding="utf-8")
    known = SNAPSHOT.read_text(encoding="utf-8")
    assert found == known, f"if this change is meant: ZEN_UPDATE_GOLDEN=1 pytest {Path(__file__).name}"


def test_each_public_name_says_what_it_is() -> None:
    silent = [
        name
        for name in zen_core.__all__
        if callable(getattr(zen_core, name)) and not inspect.getdoc(getattr(zen_core, name))
    ]
    assert silent == []


def test_completion_and_star_import_offer_the_same_names() -> None:
    assert dir(zen_core) == sorted(zen_core.__all__)
    assert set(zen_core._HOME_BY_NAME) == set(zen_core.__all__) - {"__version__"}
