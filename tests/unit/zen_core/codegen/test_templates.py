import pytest

from zen_core.codegen.literals import SourceText, py_literal
from zen_core.codegen.templates import render_template
from zen_core.errors import InternalError


@pytest.fixture
def render(tmp_path):
    def render_text(template, **values):
        (tmp_path / "t.j2").write_text(template, encoding="utf-8")
        return render_template(tmp_path, "t.j2", **values)

    return render_text


def test_source_text_is_written_as_it_stands(render):
    assert render(
        "x = {{ a }}\n{% for b in bs %}\n{{ b }}\n{% endfor %}\n", a=py_literal("<&>"), bs=[SourceText("y")]
    ) == ('x = "<&>"\ny\n')


@pytest.mark.parametrize(
    "template",
    ["{{ raw }}", "{{ raw ~ source }}", "{{ [source] | join(',') }}", "{{ number }}", "{{ source | upper }}"],
)
def test_plain_data_is_refused_however_it_gets_there(render, template):
    with pytest.raises(InternalError, match="no source text"):
        render(template, raw="import os", source=SourceText("x"), number=1)


@pytest.mark.parametrize("template", ["{{ missing }}", "{{ source.missing }}", "{% if missing %}{% endif %}"])
def test_a_name_that_is_not_given_is_refused(render, template):
    with pytest.raises(InternalError):
        render(template, source=SourceText("x"))
