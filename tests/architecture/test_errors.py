"""Every error of Zen: its own code, and fit to cross from one process to another."""

import pickle
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import pytest

import zen_core.errors
import zen_metadata
from zen_core.diagnostics import Diagnostic
from zen_core.errors import ZenError

for _module in walk_packages(zen_metadata.__path__, "zen_metadata."):
    if "migrations" not in _module.name:  # alembic runs these itself
        import_module(_module.name)


def _subclasses(kind: type[ZenError]) -> Iterator[type[ZenError]]:
    for subclass in kind.__subclasses__():
        if subclass.__module__.startswith("zen_"):
            yield subclass
            yield from _subclasses(subclass)


_found: set[type[ZenError]] = {ZenError, *_subclasses(ZenError)}
ERRORS = sorted(_found, key=lambda kind: kind.__qualname__)
PUBLIC = [kind for kind in ERRORS if kind.__module__ == zen_core.errors.__name__]
BY_FIRST_LETTER = {"U": 2, "D": 1, "C": 1, "A": 3, "S": 1, "M": 4, "T": 4, "X": 70}
"""The exit code of each family."""
WRONG_INPUT = {"NotFoundError", "ParameterError"}
"""What a person typed wrongly is a question of usage, wherever it is found out."""


def test_each_public_error_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in PUBLIC}) == len(PUBLIC)


def test_all_errors_have_one_root_and_one_home() -> None:
    """What a caller can catch stands in one module; elsewhere there are only narrower, private ones."""
    for kind in ERRORS:
        assert any(issubclass(kind, public) for public in PUBLIC)


@pytest.mark.parametrize("kind", PUBLIC)
def test_the_exit_code_follows_from_the_family(kind: type[ZenError]) -> None:
    family = BY_FIRST_LETTER[kind.code.removeprefix("ZEN-")[0]]
    assert kind.exit_code == (2 if kind.__name__ in WRONG_INPUT else family)


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_says_what_it_is(kind: type[ZenError]) -> None:
    assert kind.__doc__
    assert kind.__doc__.strip().splitlines()[0].endswith(".")


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_survives_the_way_to_another_process(kind: type[ZenError]) -> None:
    error = kind("it is gone", where="a.py:3", why="it fell", hint="pick it up", context={"step": "train"})
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.diagnostics == error.diagnostics
    assert copy.diagnostics[0].context == {"step": "train"}


def test_several_problems_survive_too() -> None:
    problems = [Diagnostic("ZEN-D101", "one"), Diagnostic("ZEN-D102", "two", hint="three")]
    copy = pickle.loads(pickle.dumps(ZenError(diagnostics=problems)))
    assert str(copy) == "error ZEN-D101: one\nerror ZEN-D102: two\n  hint   three\n2 problems"
