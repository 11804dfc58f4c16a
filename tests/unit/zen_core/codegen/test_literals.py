import ast

import pytest

from zen_core.codegen.literals import (
    SourceText,
    UnrepresentableError,
    join_source,
    py_identifier,
    py_literal,
    text_width,
)
from zen_core.errors import InternalError
from zen_core.testing.cases.catalogue import HOSTILE_TEXTS


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_comes_back_equal_and_stays_one_line(text):
    literal = py_literal(text)
    assert ast.literal_eval(literal) == text
    assert "\n" not in literal
    assert literal.isprintable()


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, 1.5, -0.0, 1e300, b"\x00'\"\\\xff", [1, [2]], (1,), (1, 2), {"b": 1, "a": {}}, []]
)
def test_values_come_back_equal(value):
    found = ast.literal_eval(py_literal(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, frozenset(), object(), {1: 2}, [{"a": {3}}]])
def test_what_has_no_stable_literal_is_refused(value):
    with pytest.raises(UnrepresentableError, match="has no literal"):
        py_literal(value)


def test_dicts_are_written_in_sorted_order():
    assert py_literal({"b": 1, "a": 2}) == py_literal({"a": 2, "b": 1}) == '{"a": 2, "b": 1}'


def test_quotes_are_those_that_need_fewer_escapes():
    assert py_literal('say "x"') == "'say \"x\"'"
    assert py_literal("it's") == '"it\'s"'


def test_characters_that_deceive_the_reader_are_escaped():
    assert py_literal("a\u202eb\u200b\xa0") == '"a\\u202eb\\u200b\\xa0"'
    assert py_literal("größe") == '"größe"'


@pytest.mark.parametrize("name", ["class", "a b", "größe", "", "x; import os"])
def test_identifiers_are_plain_names(name):
    with pytest.raises(InternalError, match="no identifier"):
        py_identifier(name)


def test_only_source_text_is_joined():
    assert join_source(", ", [py_literal(1), SourceText("x")]) == "1, x"
    with pytest.raises(InternalError, match="without py_literal"):
        join_source(", ", ["import os"])


def test_width_counts_columns():
    assert text_width("abc") == 3
    assert text_width("日本") == 4
    assert text_width("e\u0301") == 1
