import importlib.util
import itertools
import sys

import pytest

from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.fingerprint import fingerprint_step

NUMBERS = itertools.count()


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a text as a module of a project, and answer with the plain function `f` in it."""

    def load_text(text, name="f"):
        module_name = f"fingerprint_case_{next(NUMBERS)}"
        path = tmp_path / f"{module_name}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(module_name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, module_name, module)
        spec.loader.exec_module(module)
        found = getattr(module, name)
        return getattr(found, "function", found)

    return load_text


@pytest.fixture
def fingerprint(load, tmp_path):
    def of(text):
        return fingerprint_step(load(text), roots=ImportRoots((tmp_path,)))

    return of


BASE = "def f(x: int, y=2):\n    z = [x, y]\n    return {'a': z, **{}}\n"
SAME = {
    "formatting": "def f( x:int,y = 2 ):\n\n    z = [ x,\n  y, ]\n    return {\n 'a': (z), **{} }\n",
    "comments": "# one\ndef f(x: int, y=2):  # two\n    z = [x, y]\n    # three\n    return {'a': z, **{}}\n",
    "docstring": 'def f(x: int, y=2):\n    """Words."""\n    z = [x, y]\n    return {"a": z, **{}}\n',
    "place": "import os\n\n\nclass Other:\n    pass\n\n\n" + BASE,
    "step decorator": "from zen_core import step\n\n@step\n" + BASE,
    "step decorator with options": "from zen_core import step as task\n\n@task(retry=None, cache=False)\n" + BASE,
    "step decorator by module": "import zen_core as zen\n\n@zen.step(tags=['a'])\n" + BASE,
}
OTHER = {
    "body": BASE.replace("[x, y]", "[y, x]"),
    "constant": BASE.replace("'a'", "'b'"),
    "type of a constant": BASE.replace("y=2", "y=2.0"),
    "default": BASE.replace("y=2", "y=3"),
    "annotation": BASE.replace("x: int", "x: float"),
    "return annotation": BASE.replace("):", ") -> dict:", 1),
    "name of a variable": BASE.replace("z", "w"),
    "another decorator": "import functools\n\n@functools.cache\n" + BASE,
    "decorator called step that is not Zen's": "def step(f):\n    return f\n\n@step\n" + BASE,
    "async": "async " + BASE,
    "inner docstring": "def f(x: int, y=2):\n    def g():\n        'p'\n    z = [x, y]\n    return {'a': z, **{}}\n",
    "dict order of stars": BASE.replace("{'a': z, **{}}", "{**{}, 'a': z}"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_change_the_work_does_not_count(fingerprint, change):
    assert fingerprint(SAME[change]).digest == fingerprint(BASE).digest


@pytest.mark.parametrize("change", OTHER)
def test_what_may_change_the_work_counts(fingerprint, change):
    assert fingerprint(OTHER[change]).digest != fingerprint(BASE).digest


def test_all_other_texts_differ_from_one_another(fingerprint):
    assert len({fingerprint(text).digest for text in OTHER.values()}) == len(OTHER)


def test_structure_and_text_are_told_apart(fingerprint):
    assert fingerprint("def f():\n    return ')'\n").digest != fingerprint("def f():\n    return (')',)\n").digest
    assert (
        fingerprint("def f():\n    return 'ab', 'c'\n").digest != fingerprint("def f():\n    return 'a', 'bc'\n").digest
    )


def test_the_digest_is_pinned(fingerprint):
    """The same on every Python version, machine and release: a change here makes every user's cache miss."""
    text = (
        "def f(a, /, b: list[int], *c, d=None, **e) -> str:\n"
        "    with open(a) as g, g:\n"
        "        match b:\n"
        "            case [1, *_] if d is not ...:\n"
        "                return f'{a!r:>{d}} {b=} ' 'x' rf'\\{c}'\n"
        "            case {'k': v, **rest}:\n"
        "                return lambda x=-1: (y := x)\n"
        "    try:\n"
        "        return [i for i in c], {*b}, 1j, b'\\xff', 10**30, a[1:, ::2]\n"
        "    except* ValueError as error:\n"
        "        raise\n"
    )
    found = fingerprint(text)
    assert (found.scope, found.digest) == (
        "function",
        "sha256:55c2ffa92b01d7414bddd05138866f2863c932afe0c40f7aa7f79e00b5fe0107",
    )


def test_deep_expressions_are_no_problem(fingerprint):
    text = "def f(x):\n    return " + " + ".join(["x"] * 2_000) + "\n"
    assert fingerprint(text).scope == "function"


def test_a_decorator_that_hides_the_function_does_not_hide_its_code(load, tmp_path):
    """Two functions under one careless decorator must not share a cache entry."""
    text = "def hide(g):\n    return lambda x: g(x)\n\n@hide\ndef f(x):\n    return x + {}\n"
    roots = ImportRoots((tmp_path,))
    first, second = (fingerprint_step(load(text.format(number)), roots=roots) for number in (1, 2))
    assert first.digest != second.digest


def test_a_decorator_that_wraps_properly_is_looked_through(load, tmp_path):
    text = (
        "import functools\n\ndef hide(g):\n    @functools.wraps(g)\n    def wrapper(x):\n        return g(x)\n"
        "    return wrapper\n\n@hide\ndef f(x):\n    return x + {}\n"
    )
    roots = ImportRoots((tmp_path,))
    first, second = (fingerprint_step(load(text.format(number)), roots=roots) for number in (1, 2))
    assert first.scope == "function"
    assert first.digest != second.digest


def test_closed_over_values_count(load, tmp_path):
    text = "def make(k):\n    def f(x):\n        return x * k\n    return f\n\nf = make({})\n"
    roots = ImportRoots((tmp_path,))
    digests = {fingerprint_step(load(text.format(value)), roots=roots).digest for value in ("1", "'1'", "object()")}
    assert len(digests) == 3


def test_functions_that_close_over_one_another_end(load, tmp_path):
    text = (
        "def make():\n    def f():\n        return g()\n    def g():\n        return f()\n    return f\n\nf = make()\n"
    )
    assert fingerprint_step(load(text), roots=ImportRoots((tmp_path,))).digest


def test_a_function_without_source_is_known_by_its_bytecode():
    spaces = [{}, {}, {}]
    for space, text in zip(spaces, ("x + 1", "x + 1", "x + 2"), strict=True):
        exec(f"import json\ndef f(x):\n    return json.dumps({text})\n", space)
    roots = ImportRoots(())
    first, same, other = (fingerprint_step(space["f"], roots=roots) for space in spaces)
    assert first.scope == "bytecode"
    assert first.digest == same.digest != other.digest


def test_third_party_packages_that_the_code_uses_are_found(fingerprint, tmp_path):
    (tmp_path / "own_helper.py").write_text("x = 1\n")
    text = (
        "import json, os.path\nimport click\nfrom pydantic import BaseModel as Model\nimport jinja2 as unused\n"
        "from zen_core import step\n\n"
        "@step\ndef f(x: Model, y: 'rich.Table' = None, z=click.Path):\n"
        "    import sqlalchemy.sql\n    from alembic import op\n    import own_helper\n    from . import sibling\n"
        "    return json, x.unused\n"
    )
    assert fingerprint(text).imports == ("alembic", "click", "pydantic", "sqlalchemy")


def test_a_package_that_is_not_installed_here_counts_too(fingerprint):
    found = fingerprint("def f():\n    import mlflow_of_the_worker, mlflow\n")
    assert found.imports == ("mlflow", "mlflow_of_the_worker")
    assert found.imports_mlflow
