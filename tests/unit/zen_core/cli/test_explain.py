"""`zen explain`: the page of an error's code, in the terminal."""

import json

import pytest

from zen_core.cli.explain import explanation, known_codes
from zen_core.errors import UsageError


@pytest.mark.parametrize("code", ["ZEN-U201", "zen-u201", "U201", "u201"])
def test_the_page_of_a_code(project, code):
    result = project.zen("explain", code)
    assert result.exit_code == 0
    assert result.stdout.startswith("# ZEN-U201: A setting")
    assert "\n**What to do.** " in result.stdout


def test_json(project):
    document = json.loads(project.zen("explain", "U203", "--json").stdout)
    assert document["code"] == "ZEN-U203"
    assert document["title"] == "There is no such stack."
    assert document["text"].startswith("# ZEN-U203: ")


def test_an_unknown_code_is_a_question_of_usage(project):
    result = project.zen("explain", "ZEN-U291")
    assert result.exit_code == 2
    assert "error ZEN-U105: there is no error with the code 'ZEN-U291'" in result.stderr
    assert "hint   did you mean ZEN-U201?" in result.stderr


@pytest.mark.parametrize("code", ["", "../errors", "ZEN-", "what is this"])
def test_what_is_no_code_names_no_file(code):
    with pytest.raises(UsageError):
        explanation(code)


def test_readers_are_shown_no_comments_and_no_addresses():
    for code in known_codes():
        text = explanation(code)
        assert "<!--" not in text
        assert "](" not in text


def test_an_error_names_its_page(project):
    result = project.zen("rnu")
    assert result.stderr.splitlines()[-1] == "more: zen explain ZEN-U101"
    several = project.zen("run", project.ref, "--param", "depth", "--param", "x", "--param", "=")
    assert several.stderr.count("more: zen explain ZEN-U102") == 1
    assert "more" not in json.loads(project.zen("rnu", "--json").stderr)
