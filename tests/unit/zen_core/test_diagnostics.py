"""How problems look to people and to machines."""

import pickle

import pytest

from zen_core.diagnostics import Diagnostic, render_all
from zen_core.errors import DefinitionError, ZenError

FULL = Diagnostic("ZEN-D102", "it is wrong", "a.py:3", "because\nof this", "mend it", {"step": "train"})


def test_the_text_names_what_where_why_and_what_to_do() -> None:
    assert FULL.render() == (
        "error ZEN-D102: it is wrong\n  where  a.py:3\n  why    because\n         of this\n  hint   mend it"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert Diagnostic("ZEN-D102", "it is wrong").render() == "error ZEN-D102: it is wrong"


def test_several_problems_are_counted() -> None:
    assert render_all([FULL]) == FULL.render()
    assert render_all([FULL, FULL]).endswith("\n2 problems")


def test_the_machine_form_has_all_parts() -> None:
    assert FULL.to_json() == {
        "code": "ZEN-D102",
        "message": "it is wrong",
        "where": "a.py:3",
        "why": "because\nof this",
        "hint": "mend it",
        "context": {"step": "train"},
    }


def test_an_error_is_its_problems() -> None:
    error = DefinitionError(diagnostics=[FULL, Diagnostic("ZEN-D101", "more")])
    assert error.message == "it is wrong"
    assert str(error) == render_all(error.diagnostics)
    assert isinstance(error, ValueError)


def test_an_error_of_one_problem_has_its_classs_code_unless_it_is_finer() -> None:
    assert DefinitionError("x").diagnostics[0].code == "ZEN-D100"
    assert DefinitionError("x", code="ZEN-D101").diagnostics[0].code == "ZEN-D101"


@pytest.mark.parametrize("error", [DefinitionError(diagnostics=[FULL]), ZenError("x", where="y", context={"a": 1})])
def test_an_error_crosses_to_another_process(error: ZenError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.diagnostics == error.diagnostics
