import ast

from hypothesis import given
from hypothesis import strategies as st

from zen_core.codegen.layout import literal, statement
from zen_core.codegen.literals import py_literal

TEXTS = st.text(st.characters(exclude_categories=()))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5), max_leaves=20
)


@given(TEXTS)
def test_any_text_evaluates_back_equal_and_is_one_constant(text):
    tree = ast.parse(f"x = {py_literal(text)}")
    (node,) = tree.body
    assert isinstance(node.value, ast.Constant)
    assert node.value.value == text


@given(VALUES)
def test_any_value_evaluates_back_equal_however_it_is_laid_out(value):
    assert ast.literal_eval(py_literal(value)) == value
    assert ast.literal_eval(statement(literal(value), depth=0)) == value
