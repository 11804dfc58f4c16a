import ast

from zen_core.codegen.layout import LINE_LENGTH, call, literal, mapping, sequence, statement
from zen_core.codegen.literals import SourceText, py_literal

FUNCTION = SourceText("f")


def test_what_fits_stays_on_one_line():
    expression = call(FUNCTION, [py_literal(1)], {"name": py_literal("a")})
    assert statement(expression, depth=1, before="x = ") == '    x = f(1, name="a")'


def test_what_does_not_fit_has_one_item_a_line_and_a_trailing_comma():
    expression = call(FUNCTION, [sequence([py_literal("a" * 40)] * 3)], {"last": py_literal(1)})
    assert statement(expression, depth=0, after=" >> x").splitlines() == [
        "f(",
        "    [",
        *[f'        "{"a" * 40}",'] * 3,
        "    ],",
        "    last=1,",
        ") >> x",
    ]


def test_a_line_that_cannot_be_broken_is_marked_for_linters():
    text = statement(mapping({"k" * 120: py_literal([1])}), depth=0)
    assert [line.endswith("# noqa: E501") for line in text.splitlines()] == [False, True, False]


def test_literal_keeps_the_value_whatever_the_width():
    value = {"b": ["x" * 60, "y" * 60, {"c": []}], "a": "z" * 200}
    text = statement(literal(value), depth=0)
    assert ast.literal_eval(text) == value
    assert max(len(line.split("  # noqa")[0]) for line in text.splitlines() if "zzz" not in line) <= LINE_LENGTH
